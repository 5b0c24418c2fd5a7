use std::collections::BTreeMap;

use crate::id::ServiceId;

/// One `T` for each service, by id: the only way to get at services.
///
/// Debug builds count every one that is looked at ([`visits`]), so that a test
/// sees a loop over all services where one was meant.
#[derive(Debug, Clone)]
pub struct Roll<T>(BTreeMap<ServiceId, T>);

impl<T> Default for Roll<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Roll<T> {
    /// The one of `id`.
    pub fn get(&self, id: &ServiceId) -> Option<&T> {
        visit();
        self.0.get(id)
    }

    /// The one of `id`, to be changed.
    pub fn get_mut(&mut self, id: &ServiceId) -> Option<&mut T> {
        visit();
        self.0.get_mut(id)
    }

    /// Puts it in the place of the one before.
    pub fn insert(&mut self, id: ServiceId, of_service: T) -> Option<T> {
        visit();
        self.0.insert(id, of_service)
    }

    /// Takes the one of `id` out.
    pub fn remove(&mut self, id: &ServiceId) -> Option<T> {
        visit();
        self.0.remove(id)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&ServiceId, &T)> {
        self.0.iter().inspect(|_| visit())
    }

    /// All of them, by id, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&ServiceId, &mut T)> {
        self.0.iter_mut().inspect(|_| visit())
    }

    /// All of them, by id, without the ids.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.iter().map(|(_, of_service)| of_service)
    }

    /// Every id, in order.
    pub fn ids(&self) -> impl Iterator<Item = &ServiceId> {
        self.iter().map(|(id, _)| id)
    }
}

impl<T> IntoIterator for Roll<T> {
    type Item = (ServiceId, T);
    type IntoIter = std::collections::btree_map::IntoIter<ServiceId, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<T> FromIterator<(ServiceId, T)> for Roll<T> {
    fn from_iter<I: IntoIterator<Item = (ServiceId, T)>>(services: I) -> Self {
        Self(services.into_iter().collect())
    }
}

#[cfg(debug_assertions)]
thread_local! {
    static VISITS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[inline]
fn visit() {
    #[cfg(debug_assertions)]
    VISITS.set(VISITS.get() + 1);
}

/// How often this thread has looked at a service in a [`Roll`] so far.
#[cfg(debug_assertions)]
pub fn visits() -> u64 {
    VISITS.get()
}
