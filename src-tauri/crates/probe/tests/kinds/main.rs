//! Every kind of check against a real server, started for the test on free
//! loopback ports, and against what such servers do on a bad day.

mod authority;
mod errors;
mod relay;
mod servers;
mod trial;

#[cfg(feature = "amqp")]
mod amqp;
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
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod smtp;
mod ssh;
mod tls;
#[cfg(feature = "websocket")]
mod websocket;
