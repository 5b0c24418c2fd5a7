use std::time::Duration;

/// When an answer counts as slow, and when waiting for it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Slower is degraded.
    pub degraded_above: Option<Duration>,
    /// Slower is unhealthy.
    pub unhealthy_above: Option<Duration>,
    /// No answer by then is a failure.
    pub timeout: Duration,
}

/// Thresholds that fit a class of services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Redis, memcached.
    Cache,
    /// PostgreSQL, MySQL, Elasticsearch.
    Database,
    /// A service of one's own on the same network.
    InternalHttp,
    /// Somebody else's API over the internet.
    ExternalApi,
}

impl Preset {
    /// Every preset, fastest first.
    pub const ALL: [Self; 4] = [Self::Cache, Self::Database, Self::InternalHttp, Self::ExternalApi];

    /// The name in config.toml.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Database => "database",
            Self::InternalHttp => "internal-http",
            Self::ExternalApi => "external-api",
        }
    }

    /// The name for people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Cache => "Cache",
            Self::Database => "Database",
            Self::InternalHttp => "Internal HTTP",
            Self::ExternalApi => "External API",
        }
    }
}

impl Thresholds {
    /// What a preset sets.
    pub const fn of(preset: Preset) -> Self {
        let (degraded, unhealthy, timeout) = match preset {
            Preset::Cache => (50, 500, 3),
            Preset::Database => (200, 1000, 5),
            Preset::InternalHttp => (500, 2000, 10),
            Preset::ExternalApi => (1000, 5000, 15),
        };
        Self {
            degraded_above: Some(Duration::from_millis(degraded)),
            unhealthy_above: Some(Duration::from_millis(unhealthy)),
            timeout: Duration::from_secs(timeout),
        }
    }

    /// Without a preset: HTTP pages may take their time.
    pub const HTTP: Self = Self {
        degraded_above: Some(Duration::from_secs(2)),
        unhealthy_above: None,
        timeout: Duration::from_secs(5),
    };

    /// Without a preset: every other kind.
    pub const OTHER: Self = Self {
        degraded_above: Some(Duration::from_millis(500)),
        unhealthy_above: None,
        timeout: Duration::from_secs(3),
    };
}

/// How often a service is checked, by what it means to its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tier {
    /// Every 15 s.
    Critical,
    /// Every 30 s.
    #[default]
    Supporting,
    /// Every 3 min.
    External,
}

impl Tier {
    /// Every tier, most frequent first.
    pub const ALL: [Self; 3] = [Self::Critical, Self::Supporting, Self::External];

    /// The name in config.toml.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Supporting => "supporting",
            Self::External => "external",
        }
    }

    /// The name for people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Critical => "Critical",
            Self::Supporting => "Supporting",
            Self::External => "External",
        }
    }

    /// The time from one check to the next.
    pub const fn every(self) -> Duration {
        match self {
            Self::Critical => Duration::from_secs(15),
            Self::Supporting => Duration::from_secs(30),
            Self::External => Duration::from_secs(180),
        }
    }
}
