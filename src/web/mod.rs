//! Pipelines and pools in an actix-web application.

mod body;
mod events;
mod failure;
mod ndjson;
mod refused;
mod submit;
mod write;

pub use events::{Events, events, events_with};
pub use ndjson::{Ndjson, ndjson, ndjson_with};
pub use refused::Refused;
pub use submit::{submit, submit_within};
pub use write::WriteJson;
