use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::clock::Clock;
use crate::network;

type Answer = Pin<Box<dyn Future<Output = bool> + Send>>;

/// What the engine asks this machine for. Tests bring a machine of their own
/// that sleeps and goes offline when told.
#[derive(Clone)]
pub struct Surroundings {
    pub(crate) clock: Clock,
    pub(crate) interface_is_up: Arc<dyn Fn() -> bool + Send + Sync>,
    pub(crate) internet_answers: Arc<dyn Fn(Vec<String>) -> Answer + Send + Sync>,
}

impl Surroundings {
    /// This machine.
    pub fn real() -> Self {
        Self::new(Clock::system(), network::interface_is_up, network::internet_answers)
    }

    /// Another one: its clock, whether an interface is up, and whether any of
    /// some `host:port` answers.
    pub fn new<F>(
        clock: Clock,
        interface_is_up: impl Fn() -> bool + Send + Sync + 'static,
        internet_answers: impl Fn(Vec<String>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = bool> + Send + 'static,
    {
        Self {
            clock,
            interface_is_up: Arc::new(interface_is_up),
            internet_answers: Arc::new(move |targets| Box::pin(internet_answers(targets))),
        }
    }
}
