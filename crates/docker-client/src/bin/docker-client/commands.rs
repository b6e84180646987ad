//! The commands.

mod events;
mod exec;
mod inspect;
mod logs;
mod ps;
mod stats;

use docker_client::{DockerApiClient, get_docker_client};

use crate::Failure;
use crate::arguments::{Arguments, Command};
use crate::print::Printer;

/// Runs the command; the exit code is that of a program in a container, or 0.
pub(crate) async fn run(arguments: Arguments, printer: &mut Printer) -> Result<u8, Failure> {
    let client = match &arguments.host {
        Some(url) => DockerApiClient::connect_to(url).await?,
        None => get_docker_client().await?,
    };
    let json = arguments.json;
    let code = match arguments.command {
        Command::Ps(options) => ps::run(&client, options, json, printer).await?,
        Command::Logs {
            name,
            follow,
            options,
        } => logs::run(&client, &name, follow, *options, json, printer).await?,
        Command::Exec {
            name,
            exec,
            interactive,
        } => exec::run(&client, &name, *exec, interactive, json, printer).await?,
        Command::Inspect(names) => inspect::run(&client, &names, printer).await?,
        Command::Stats { names, once } => stats::run(&client, names, once, json, printer).await?,
        Command::Events(options) => events::run(&client, options, json, printer).await?,
    };
    printer.flush()?;
    Ok(code)
}
