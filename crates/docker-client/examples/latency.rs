//! How long calls take: `latency CONTAINER ROUNDS` prints the medians of a list of all containers
//! and of `true` in the container, in milliseconds. For `bench/benchmarks.py`.

// All of a program may print.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Instant;

use docker_client::{DockerClientError, Exec, get_docker_client};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(container), Some(rounds)) = (arguments.next(), arguments.next()) else {
        return Err("write CONTAINER ROUNDS".into());
    };
    let rounds = rounds.parse()?;
    let docker = get_docker_client().await?;
    let list = median(rounds, async || {
        docker.list_containers(true).await.map(drop)
    })
    .await?;
    let exec = Exec::new(["true"]);
    let run = async || {
        docker
            .exec_command(&container, exec.clone())
            .await
            .map(drop)
    };
    println!("{list:.2} {:.2}", median(rounds, run).await?);
    Ok(())
}

async fn median(
    rounds: usize,
    call: impl AsyncFn() -> Result<(), DockerClientError>,
) -> Result<f64, DockerClientError> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let before = Instant::now();
        call().await?;
        times.push(before.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
