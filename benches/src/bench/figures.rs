//! What is measured: a file for each group of figures.

mod cost;
mod flat;
mod idle;
mod many;
mod outage;
mod questions;
mod stopped;

use super::failure::Outcome;
use super::report::Line;
use super::stage::Stage;

/// A group of figures that are measured together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Figure {
    /// What an HTTP check costs.
    Http,
    /// What a TCP check costs.
    Tcp,
    /// What a check costs with many services.
    Flat,
    /// 10,000 services.
    Many,
    /// The process stopped for a while.
    Stopped,
    /// An outage of a root and its 2,000 dependants.
    Outage,
    /// 100 services, most of the time idle.
    Idle,
    /// Questions about a month of history.
    Questions,
}

impl Figure {
    /// In the order they are measured.
    pub const ALL: [Self; 8] = [
        Self::Http,
        Self::Tcp,
        Self::Flat,
        Self::Many,
        Self::Stopped,
        Self::Outage,
        Self::Idle,
        Self::Questions,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Flat => "flat",
            Self::Many => "many",
            Self::Stopped => "stopped",
            Self::Outage => "outage",
            Self::Idle => "idle",
            Self::Questions => "questions",
        }
    }

    /// What it is about.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Http => "one HTTP check, the whole way",
            Self::Tcp => "one TCP check, the whole way",
            Self::Flat => "the same cost with any number of services",
            Self::Many => "10,000 HTTP services every 15 s",
            Self::Stopped => "stopped for a while, then let go on",
            Self::Outage => "an outage of one root and 2,000 dependants every 5 s",
            Self::Idle => "100 HTTP services every 30 s",
            Self::Questions => "a question about a month of history",
        }
    }

    /// How it is measured, for whoever reads the table.
    pub const fn how(self) -> &'static str {
        match self {
            Self::Http => cost::HOW_HTTP,
            Self::Tcp => cost::HOW_TCP,
            Self::Flat => flat::HOW,
            Self::Many => many::HOW,
            Self::Stopped => stopped::HOW,
            Self::Outage => outage::HOW,
            Self::Idle => idle::HOW,
            Self::Questions => questions::HOW,
        }
    }

    /// Measures it.
    pub async fn measure(self, stage: &Stage) -> Outcome<Vec<Line>> {
        match self {
            Self::Http => cost::http(stage).await,
            Self::Tcp => cost::tcp(stage).await,
            Self::Flat => flat::measure(stage).await,
            Self::Many => many::measure(stage).await,
            Self::Stopped => stopped::measure(stage).await,
            Self::Outage => outage::measure(stage).await,
            Self::Idle => idle::measure(stage).await,
            Self::Questions => questions::measure(stage).await,
        }
    }
}
