//! `exec`

use std::io::{self, Read, Write};

use docker_client::{DockerApiClient, Exec, ExecItem, Source};
use futures_util::StreamExt;
use serde_json::json;

use crate::Failure;
use crate::print::Printer;

/// The library sends what is there, so all of it must be there.
const INPUT_MAX: u64 = 64 << 20;

pub(super) async fn run(
    client: &DockerApiClient,
    name: &str,
    mut exec: Exec,
    interactive: bool,
    json: bool,
    printer: &mut Printer,
) -> Result<u8, Failure> {
    if interactive {
        let mut input = Vec::new();
        // Nothing else is to be done meanwhile.
        let read = io::stdin()
            .lock()
            .take(INPUT_MAX + 1)
            .read_to_end(&mut input);
        let length = read.map_err(Failure::Input)?;
        if length as u64 > INPUT_MAX {
            let message = format!("the standard input has more than {INPUT_MAX} bytes");
            return Err(Failure::Missing(message));
        }
        exec.stdin = Some(input.into());
    }
    if json {
        let result = client.exec_command(name, exec).await?;
        printer.json(&json!({
            "exit_code": result.exit_code,
            "stdout": result.stdout_text(),
            "stderr": result.stderr_text(),
        }))?;
        return Ok(0);
    }
    let mut stream = client.exec_stream(name, exec).await?;
    let mut code = 0;
    while let Some(item) = stream.next().await {
        match item? {
            ExecItem::Output {
                stream: Source::Stdout,
                bytes,
            } => {
                printer.bytes(&bytes)?;
                printer.flush()?;
            }
            ExecItem::Output {
                stream: Source::Stderr,
                bytes,
            } => io::stderr().write_all(&bytes)?,
            ExecItem::Exited { exit_code } => code = exit_code,
        }
    }
    Ok(u8::try_from(code).unwrap_or(1))
}
