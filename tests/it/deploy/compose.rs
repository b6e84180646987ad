//! `deploy/docker-compose.yaml`.

use serde_json::{Value, json};

use super::image::Image;
use super::program::{self, Variables};
use super::{file, list, seconds, text, yaml};

const FILE: &str = "deploy/docker-compose.yaml";

fn service(name: &str) -> Value {
    let document = yaml::document(FILE);
    let service = document.pointer(&format!("/services/{name}"));
    service
        .unwrap_or_else(|| panic!("no service {name}"))
        .clone()
}

fn environment(service: &Value) -> Variables {
    let pairs = service["environment"].as_object().unwrap().iter();
    let pairs = pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
    pairs.collect()
}

/// Source and target of each mount, without its options.
fn mounts(service: &Value) -> Vec<(String, String)> {
    let mounts = list(service, "/volumes").iter().map(|mount| {
        let mut parts = mount.as_str().unwrap().split(':');
        (
            parts.next().unwrap().to_owned(),
            parts.next().unwrap().to_owned(),
        )
    });
    mounts.collect()
}

fn mounted_from(service: &Value, target: &str) -> String {
    let mut mounts = mounts(service).into_iter();
    let mount = mounts.find(|(_, mounted)| mounted == target);
    mount.unwrap_or_else(|| panic!("nothing at {target}")).0
}

#[test]
fn publisher_takes_its_settings_and_its_crontab() {
    let publisher = service("cw-publisher");
    let folder = mounted_from(&publisher, "/etc/cw-publisher");
    let path = format!("deploy/{}/crontab", folder.strip_prefix("./").unwrap());
    let crontab = ("/etc/cw-publisher/crontab".into(), file(&path));
    let config = program::config(&environment(&publisher), Some(crontab));

    let grace = seconds(text(&publisher, "/stop_grace_period"));
    assert!(grace > config.shutdown_grace);

    let image = Image::read();
    assert_eq!(config.spool_dir.unwrap().to_str(), Some(image.spool()));
    // A named volume: only those take over the owner of the folder in the image.
    let spool = mounted_from(&publisher, image.spool());
    let volumes = yaml::document(FILE)["volumes"].clone();
    assert!(volumes.as_object().unwrap().contains_key(&spool));
}

#[test]
fn publisher_finds_the_endpoint_and_so_does_a_browser() {
    let (publisher, endpoint) = (service("cw-publisher"), service("cloudwatch"));
    let listen = environment(&endpoint)["CLOUDWATCH_LOCAL_LISTEN"].clone();
    let port = listen.strip_prefix("0.0.0.0:").unwrap();
    assert_eq!(
        environment(&publisher)["AWS_ENDPOINT_URL_CLOUDWATCH"],
        format!("http://cloudwatch:{port}")
    );
    let hosts = &environment(&endpoint)["CLOUDWATCH_LOCAL_ALLOW_HOSTS"];
    assert_eq!(hosts, "cloudwatch", "or it answers 421");
    assert_eq!(publisher["depends_on"], json!(["cloudwatch"]));
    assert_eq!(
        endpoint["ports"],
        json!([format!(
            "127.0.0.1:${{CLOUDWATCH_LOCAL_PORT:-{port}}}:{port}"
        )])
    );
    for path in [FILE, "deploy/README.md"] {
        assert!(
            file(path).contains(&format!("http://localhost:{port}")),
            "{path}"
        );
    }
    let dockerfile = file("deploy/cloudwatch-local.Dockerfile");
    assert!(dockerfile.contains(&format!("\nEXPOSE {port}\n")));
    assert!(dockerfile.contains(&format!("\nENV CLOUDWATCH_LOCAL_LISTEN={listen}\n")));
}

#[test]
fn both_run_without_rights() {
    let image = Image::read();
    for service in [service("cw-publisher"), service("cloudwatch")] {
        assert_eq!(service["user"], image.user());
        assert_eq!(service["read_only"], true);
        assert_eq!(service["cap_drop"], json!(["ALL"]));
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]));
    }
    let dockerfile = file("deploy/cloudwatch-local.Dockerfile");
    assert!(dockerfile.contains(&format!("\nUSER {}\n", image.user())));
}

#[test]
fn both_are_built_with_the_builder_of_the_dockerfile() {
    let image = Image::read();
    let builder = image.argument("RUST_IMAGE");
    for name in ["cw-publisher", "cloudwatch"] {
        let service = service(name);
        assert_eq!(text(&service, "/build/context"), "..");
        assert_eq!(
            text(&service, "/build/args/RUST_IMAGE"),
            format!("${{RUST_IMAGE:-{builder}}}")
        );
    }
    let dockerfile = file(text(&service("cloudwatch"), "/build/dockerfile"));
    assert!(dockerfile.contains(&format!("\nARG RUST_IMAGE={builder}\n")));
    // Without it the context has no more of the endpoint than its manifest.
    let ignored = file(".dockerignore");
    assert!(ignored.contains("\n!crates/cloudwatch-local/src\n"));
}
