use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::id::ServiceId;

/// What a service depends on is not among the services.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{service}` depends on `{missing}`, which does not exist")]
pub struct UnknownDependency {
    /// The service that depends.
    pub service: ServiceId,
    /// What it names.
    pub missing: ServiceId,
}

/// How a service stands when causes are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// It is down: a cause, or on the way to one.
    Down,
    /// Nothing is known of it: look through it.
    Unknown,
    /// It works: whatever is behind it is not the reason.
    Up,
}

/// Who depends on whom. Circles are allowed: their members count as one.
#[derive(Debug, Clone, Default)]
pub struct DependencyGraph {
    ids: Vec<ServiceId>,
    index: BTreeMap<ServiceId, usize>,
    dependencies: Vec<Vec<usize>>,
    dependants: Vec<Vec<usize>>,
    /// Services with the same number depend on each other in a circle.
    circle: Vec<usize>,
}

impl DependencyGraph {
    /// From each service and what it depends on directly.
    ///
    /// # Errors
    /// When a dependency is not itself one of the services.
    pub fn new<'a>(
        services: impl IntoIterator<Item = (&'a ServiceId, &'a [ServiceId])>,
    ) -> Result<Self, UnknownDependency> {
        let services: Vec<_> = services.into_iter().collect();
        let ids: Vec<ServiceId> = services.iter().map(|(id, _)| (*id).clone()).collect();
        let index: BTreeMap<_, _> =
            ids.iter().cloned().enumerate().map(|(i, id)| (id, i)).collect();
        let mut dependencies = vec![Vec::new(); ids.len()];
        let mut dependants = vec![Vec::new(); ids.len()];
        for (id, depends_on) in services {
            let from = index[id];
            for dependency in depends_on {
                let to = *index.get(dependency).ok_or_else(|| UnknownDependency {
                    service: id.clone(),
                    missing: dependency.clone(),
                })?;
                dependencies[from].push(to);
                dependants[to].push(from);
            }
        }
        let circle = circles(&dependencies, &dependants);
        Ok(Self { ids, index, dependencies, dependants, circle })
    }

    /// Every service, in the order given.
    pub fn services(&self) -> &[ServiceId] {
        &self.ids
    }

    /// What `id` depends on directly.
    pub fn depends_on(&self, id: &ServiceId) -> Vec<&ServiceId> {
        self.index.get(id).map_or_else(Vec::new, |&i| {
            self.dependencies[i].iter().map(|&d| &self.ids[d]).collect()
        })
    }

    /// Everything that depends on `id`, transitively, without itself.
    pub fn affected_by(&self, id: &ServiceId) -> BTreeSet<ServiceId> {
        self.reach(id, &self.dependants)
    }

    /// Everything `id` depends on, transitively, without itself.
    pub fn upstream_of(&self, id: &ServiceId) -> BTreeSet<ServiceId> {
        self.reach(id, &self.dependencies)
    }

    /// The root causes among the services that are down: those that depend on
    /// nothing else that is down.
    ///
    /// 1. A dependency that works ends the search: what is behind it is not
    ///    the reason.
    /// 2. An unknown dependency is looked through.
    /// 3. Services in a circle count as one, named by the first of them (by id).
    pub fn root_cause(&self, state: impl Fn(&ServiceId) -> Link) -> BTreeSet<ServiceId> {
        let mut roots = BTreeMap::new();
        for (node, id) in self.ids.iter().enumerate() {
            if state(id) == Link::Down && self.down_behind(node, &state).is_empty() {
                let first = roots.entry(self.circle[node]).or_insert(id);
                *first = (*first).min(id);
            }
        }
        roots.into_values().cloned().collect()
    }

    /// The root causes that explain why `id` is down; empty when it is one.
    /// A circle is named by the members met first.
    pub fn causes_of(
        &self,
        id: &ServiceId,
        state: impl Fn(&ServiceId) -> Link,
    ) -> BTreeSet<ServiceId> {
        let Some(&start) = self.index.get(id) else { return BTreeSet::new() };
        let mut seen = BTreeSet::from([start]);
        let mut queue = VecDeque::from([start]);
        let mut causes = BTreeSet::new();
        while let Some(node) = queue.pop_front() {
            let behind = self.down_behind(node, &state);
            if behind.is_empty() && self.circle[node] != self.circle[start] {
                causes.insert(self.ids[node].clone());
            }
            queue.extend(behind.into_iter().filter(|&next| seen.insert(next)));
        }
        causes
    }

    /// Whether `id` has a root cause: something it depends on is down, outside
    /// its circle, and nothing that works is in between.
    pub fn is_caused(&self, id: &ServiceId, state: impl Fn(&ServiceId) -> Link) -> bool {
        let Some(&start) = self.index.get(id) else { return false };
        let mut seen = BTreeSet::from([start]);
        let mut queue = VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            for &next in &self.dependencies[at] {
                if !seen.insert(next) {
                    continue;
                }
                match state(&self.ids[next]) {
                    _ if self.circle[next] == self.circle[start] => queue.push_back(next),
                    Link::Down => return true,
                    Link::Unknown => queue.push_back(next),
                    Link::Up => {}
                }
            }
        }
        false
    }

    /// The nearest services that are down behind `node`, outside its circle.
    fn down_behind(&self, node: usize, state: &impl Fn(&ServiceId) -> Link) -> BTreeSet<usize> {
        let mut seen = BTreeSet::from([node]);
        let mut queue = VecDeque::from([node]);
        let mut down = BTreeSet::new();
        while let Some(at) = queue.pop_front() {
            for &next in &self.dependencies[at] {
                if !seen.insert(next) {
                    continue;
                }
                if self.circle[next] == self.circle[node] {
                    queue.push_back(next);
                    continue;
                }
                match state(&self.ids[next]) {
                    Link::Down => {
                        down.insert(next);
                    }
                    Link::Unknown => queue.push_back(next),
                    Link::Up => {}
                }
            }
        }
        down
    }

    fn reach(&self, id: &ServiceId, edges: &[Vec<usize>]) -> BTreeSet<ServiceId> {
        let Some(&start) = self.index.get(id) else { return BTreeSet::new() };
        // Costs what is reached, not what there is.
        let mut seen = BTreeSet::from([start]);
        let mut queue = vec![start];
        while let Some(node) = queue.pop() {
            queue.extend(edges[node].iter().copied().filter(|&next| seen.insert(next)));
        }
        seen.remove(&start);
        seen.into_iter().map(|node| self.ids[node].clone()).collect()
    }
}

/// The circle each node belongs to: its strongly connected component
/// (Kosaraju's two passes, without recursion).
fn circles(forward: &[Vec<usize>], backward: &[Vec<usize>]) -> Vec<usize> {
    let mut seen = vec![false; forward.len()];
    let mut finished = Vec::with_capacity(forward.len());
    for node in 0..forward.len() {
        finished.extend(visit(forward, node, &mut seen));
    }
    let mut circle = vec![0; forward.len()];
    let mut seen = vec![false; forward.len()];
    for &node in finished.iter().rev() {
        for member in visit(backward, node, &mut seen) {
            circle[member] = node;
        }
    }
    circle
}

/// Unseen nodes reachable from `start`, each after all that it leads to.
fn visit(edges: &[Vec<usize>], start: usize, seen: &mut [bool]) -> Vec<usize> {
    let mut order = Vec::new();
    if std::mem::replace(&mut seen[start], true) {
        return order;
    }
    let mut stack = vec![(start, 0)];
    while let Some((node, edge)) = stack.last_mut() {
        if let Some(&next) = edges[*node].get(*edge) {
            *edge += 1;
            if !std::mem::replace(&mut seen[next], true) {
                stack.push((next, 0));
            }
        } else {
            order.push(*node);
            stack.pop();
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> ServiceId {
        ServiceId::new(text).expect("a valid id")
    }

    fn graph(edges: &[(&str, &[&str])]) -> DependencyGraph {
        let owned: Vec<(ServiceId, Vec<ServiceId>)> =
            edges.iter().map(|(from, to)| (id(from), to.iter().map(|t| id(t)).collect())).collect();
        DependencyGraph::new(owned.iter().map(|(id, to)| (id, to.as_slice()))).expect("known ids")
    }

    fn state<'a>(down: &'a [&'a str], unknown: &'a [&'a str]) -> impl Fn(&ServiceId) -> Link + 'a {
        move |id| {
            if down.contains(&id.as_str()) {
                Link::Down
            } else if unknown.contains(&id.as_str()) {
                Link::Unknown
            } else {
                Link::Up
            }
        }
    }

    fn ids(names: &[&str]) -> BTreeSet<ServiceId> {
        names.iter().map(|n| id(n)).collect()
    }

    #[test]
    fn unknown_dependencies_are_looked_through_and_healthy_ones_are_not() {
        let graph = graph(&[("web", &["api"]), ("api", &["db"]), ("db", &[])]);
        assert_eq!(graph.root_cause(state(&["web", "db"], &["api"])), ids(&["db"]));
        assert_eq!(graph.root_cause(state(&["web", "db"], &[])), ids(&["db", "web"]));
        assert_eq!(graph.causes_of(&id("web"), state(&["web", "db"], &["api"])), ids(&["db"]));
    }

    #[test]
    fn a_circle_counts_as_one() {
        let graph = graph(&[("a", &["b"]), ("b", &["a", "db"]), ("db", &[]), ("web", &["a"])]);
        assert_eq!(graph.root_cause(state(&["a", "b"], &[])), ids(&["a"]));
        assert_eq!(graph.root_cause(state(&["b"], &[])), ids(&["b"]));
        assert_eq!(graph.root_cause(state(&["a", "b", "db", "web"], &[])), ids(&["db"]));
        assert_eq!(graph.affected_by(&id("a")), ids(&["b", "web"]));
        assert_eq!(graph.causes_of(&id("a"), state(&["a", "b"], &[])), ids(&[]));
        assert_eq!(graph.causes_of(&id("web"), state(&["a", "b", "web"], &[])), ids(&["a"]));
    }

    proptest! {
        /// One search tells all causes, the other stops at the first.
        #[test]
        fn who_has_causes_is_caused(
            edges in proptest::collection::vec((0..6usize, 0..6usize), 0..14),
            links in proptest::collection::vec(0..3u8, 6),
        ) {
            let ids: Vec<_> = (0..6).map(|n| id(&format!("s{n}"))).collect();
            let on = |n| edges.iter().filter(move |(from, _)| *from == n);
            let depends_on: Vec<Vec<_>> =
                (0..6).map(|n| on(n).map(|(_, to)| ids[*to].clone()).collect()).collect();
            let graph = DependencyGraph::new(ids.iter().zip(depends_on.iter().map(Vec::as_slice)))
                .expect("known");
            let link = |id: &ServiceId| {
                let n = ids.iter().position(|known| known == id).expect("known");
                [Link::Down, Link::Unknown, Link::Up][usize::from(links[n])]
            };
            for id in &ids {
                prop_assert_eq!(graph.is_caused(id, link), !graph.causes_of(id, link).is_empty());
            }
        }
    }

    #[test]
    fn a_missing_dependency_is_named() {
        let error =
            DependencyGraph::new([(&id("a"), [id("b")].as_slice())]).expect_err("b is missing");
        assert_eq!(error.to_string(), "`a` depends on `b`, which does not exist");
    }

    #[test]
    fn a_chain_of_ten_thousand_needs_no_stack() {
        let owned: Vec<(ServiceId, Vec<ServiceId>)> = (0..10_000)
            .map(|i| {
                (
                    id(&format!("s{i}")),
                    (i > 0).then(|| id(&format!("s{}", i - 1))).into_iter().collect(),
                )
            })
            .collect();
        let graph =
            DependencyGraph::new(owned.iter().map(|(id, to)| (id, to.as_slice()))).expect("known");
        assert_eq!(graph.affected_by(&id("s0")).len(), 9_999);
        assert_eq!(graph.causes_of(&id("s9999"), |_| Link::Down), ids(&["s0"]));
    }
}
