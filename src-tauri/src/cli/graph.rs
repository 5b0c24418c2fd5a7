use std::collections::BTreeSet;
use std::fmt::Write;

use clap::Subcommand;
use config::Config;
use health::{DependencyGraph, Link, ServiceId};

use super::parse_id;
use crate::failure::Failure;
use crate::output::{print, print_json};
use crate::places::Places;
use crate::session::load_config;

/// A question about `depends_on`.
#[derive(Debug, Subcommand)]
pub(super) enum Question {
    /// Everything that depends on a service, transitively.
    AffectedBy {
        /// The service.
        id: String,
    },
    /// Of the services that are down, those that depend on no other of them.
    RootCause {
        /// The services that are down.
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// The graph for Graphviz: `pilotlight graph dot | dot -Tsvg`.
    Dot,
}

pub(super) fn run(places: &Places, question: &Question, json: bool) -> Result<(), Failure> {
    places.require_config()?;
    let config = load_config(&places.config)?.config;
    let edges = config.services.iter().map(|s| (&s.id, s.depends_on.as_slice()));
    let graph = DependencyGraph::new(edges)
        .map_err(|error| Failure::usage(error.to_string(), "correct its depends_on"))?;
    match question {
        Question::AffectedBy { id } => print_ids(&graph.affected_by(&known(&graph, id)?), json),
        Question::RootCause { ids } => {
            let down =
                ids.iter().map(|id| known(&graph, id)).collect::<Result<BTreeSet<_>, _>>()?;
            let link = |id: &ServiceId| if down.contains(id) { Link::Down } else { Link::Up };
            print_ids(&graph.root_cause(link), json)
        }
        Question::Dot => print(&dot(&config)),
    }
}

fn known(graph: &DependencyGraph, text: &str) -> Result<ServiceId, Failure> {
    let id = parse_id(text)?;
    if graph.services().contains(&id) {
        return Ok(id);
    }
    Err(Failure::usage(
        format!("there is no service `{id}` in the config"),
        "`pilotlight graph dot` shows every id",
    ))
}

fn print_ids(ids: &BTreeSet<ServiceId>, json: bool) -> Result<(), Failure> {
    if json {
        return print_json(ids);
    }
    print(&ids.iter().map(|id| id.to_string() + "\n").collect::<String>())
}

fn dot(config: &Config) -> String {
    let mut text = "digraph pilotlight {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
    for service in &config.services {
        let label = service.name.replace('\\', "\\\\").replace('"', "\\\"");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  \"{}\" [label=\"{label}\"];", service.id);
        for dependency in &service.depends_on {
            let _ = writeln!(text, "  \"{}\" -> \"{dependency}\";", service.id);
        }
    }
    text + "}\n"
}
