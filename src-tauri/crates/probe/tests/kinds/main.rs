//! Every kind of check against a real server, started for the test on free
//! loopback ports, and against what such servers do on a bad day.

mod authority;
mod errors;
mod relay;
mod servers;
mod trial;

#[cfg(feature = "amqp")]
mod amqp;
mod disk;
mod exec;
mod http;
mod imap;
#[cfg(feature = "mqtt")]
mod mqtt;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "process")]
mod process;
mod smtp;
mod ssh;
mod tls;
