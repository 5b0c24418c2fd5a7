//! Every kind of check against a real server, started for the test on free
//! loopback ports, and against what such servers do on a bad day.

mod authority;
mod errors;
#[cfg(any(feature = "dns", feature = "ping"))]
mod network;
mod relay;
mod servers;
mod trial;

#[cfg(feature = "amqp")]
mod amqp;
mod disk;
#[cfg(feature = "dns")]
mod dns;
mod exec;
#[cfg(feature = "grpc")]
mod grpc;
mod http;
mod imap;
#[cfg(feature = "mqtt")]
mod mqtt;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "ping")]
mod ping;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "process")]
mod process;
#[cfg(feature = "redis")]
mod redis;
mod smtp;
mod ssh;
mod tcp;
mod tls;
mod udp;
#[cfg(feature = "websocket")]
mod websocket;
