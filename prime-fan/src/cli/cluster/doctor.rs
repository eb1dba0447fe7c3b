//! `prime-fan doctor`.

use actix_fan::remote::{self, Check, Health};
use anstream::adapter::strip_str;
use clap::builder::styling::AnsiColor;

use super::connect;
use crate::cli::args;
use crate::cli::exit::Failure;
use crate::cli::messages::error_text;
use crate::cli::output::Output;

/// Checks the server, and prints a line for each check.
pub(crate) async fn doctor(doctor: args::Doctor) -> Result<(), Failure> {
    let args::Doctor { connection, quiet, log_filter: _ } = doctor;
    let mut lines = Vec::new();
    let mut worst = Health::Ok;
    match connect(&connection, "doctor").await {
        Ok(nats) => {
            for Check { health, what, text, .. } in remote::doctor(&nats).await {
                worst = worst.max(health);
                lines.push((health, what, text));
            }
        }
        Err(failure) => {
            let text = format!(
                "{}: is the server there, and are the address and the credentials right?",
                error_text(&failure)
            );
            worst = Health::Bad;
            lines.push((worst, "connection", text));
        }
    }
    let mut output = Output::stdout();
    for (health, what, text) in lines {
        if !quiet || health == Health::Bad {
            output.write(line(health, what, &text).as_bytes())?;
        }
    }
    output.commit()?;
    if worst == Health::Bad { Err(Failure::Unwell) } else { Ok(()) }
}

/// A line, in colour on a terminal.
fn line(health: Health, what: &str, text: &str) -> String {
    let colour = match health {
        Health::Ok => AnsiColor::Green,
        Health::Warn => AnsiColor::Yellow,
        _ => AnsiColor::Red,
    };
    let style = colour.on_default();
    // Texts of the server must not control the terminal.
    let text: String = strip_str(text).to_string().chars().filter(|character| !character.is_control()).collect();
    let line = format!("{style}{health:<4}{style:#} {what:<13} {text}\n");
    let is_plain = anstream::AutoStream::choice(&std::io::stdout()) == anstream::ColorChoice::Never;
    if is_plain { strip_str(&line).to_string() } else { line }
}
