//! What an on-call person looks at: how outages are told, logging, health.

pub mod outage;
