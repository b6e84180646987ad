//! `deploy/ecs/`.

use std::time::Duration;

use cw_publisher::config::Config;
use serde_json::{Value, json};

use super::image::Image;
use super::program;
use super::{json, list, seconds, text, yaml};

fn publisher(task: &Value) -> &Value {
    let mut containers = list(task, "/containerDefinitions").iter();
    let publisher = containers.find(|container| container["name"] == "cw-publisher");
    publisher.expect("a container cw-publisher")
}

/// What holds for the publisher in both definitions.
fn configured(task: &Value) -> Config {
    let publisher = publisher(task);
    let config = program::config(&program::variables(publisher, "/environment"), None);
    let timeout = publisher["stopTimeout"].as_u64().unwrap();
    assert!(Duration::from_secs(timeout) > config.shutdown_grace);

    assert_eq!(publisher["user"], Image::read().user());
    assert_eq!(publisher["readonlyRootFilesystem"], true);
    let capabilities = &publisher["linuxParameters"]["capabilities"];
    assert_eq!(*capabilities, json!({ "drop": ["ALL"] }));
    // The image's entry point runs.
    assert_eq!(publisher.get("entryPoint"), None);
    let region = publisher.pointer("/logConfiguration/options/awslogs-region");
    assert_eq!(region.unwrap(), config.region.as_str());
    config
}

#[test]
fn sidecar_is_configured_and_watched_as_the_image_is() {
    let task = json("deploy/ecs/sidecar.json");
    configured(&task);
    let publisher = publisher(&task);
    assert_eq!(program::command(list(publisher, "/command")), "run");
    // The application goes on without it.
    assert_eq!(publisher["essential"], false);
    assert_eq!(publisher["restartPolicy"]["ignoredExitCodes"], json!([78]));

    // ECS does not look at the image's health check.
    let image = Image::read();
    let health = &publisher["healthCheck"];
    assert_eq!(health["command"], image.health_command());
    assert_eq!(health["command"][1], image.program());
    assert_eq!(
        health["retries"].to_string(),
        image.health_option("retries")
    );
    for (ours, of_image) in [
        ("interval", "interval"),
        ("timeout", "timeout"),
        ("startPeriod", "start-period"),
    ] {
        let of_image = seconds(image.health_option(of_image));
        assert_eq!(health[ours], of_image.as_secs(), "{ours}");
    }
    let limit = publisher["memory"].as_u64().unwrap();
    assert!(publisher["memoryReservation"].as_u64().unwrap() <= limit);
}

#[test]
fn scheduled_task_publishes_once_and_ends() {
    let task = json("deploy/ecs/scheduled-once.json");
    configured(&task);
    let publisher = publisher(&task);
    assert_eq!(program::command(list(publisher, "/command")), "once");
    assert_eq!(publisher["essential"], true);
}

#[test]
fn schedule_starts_the_scheduled_task_with_the_role_for_it() {
    let schedule = json("deploy/ecs/schedule.json");
    let family = json("deploy/ecs/scheduled-once.json")["family"].clone();
    let definition = text(&schedule, "/Target/EcsParameters/TaskDefinitionArn");
    assert_eq!(definition.rsplit_once('/').unwrap().1, family);
    assert_eq!(
        role(&schedule, "/Target/RoleArn"),
        role_name("SchedulerRole")
    );
}

#[test]
fn tasks_have_the_role_that_the_template_makes() {
    for path in ["deploy/ecs/sidecar.json", "deploy/ecs/scheduled-once.json"] {
        assert_eq!(role(&json(path), "/taskRoleArn"), role_name("TaskRole"));
    }
}

fn role<'a>(value: &'a Value, pointer: &str) -> &'a str {
    text(value, pointer).split_once(":role/").unwrap().1
}

/// The name in a stack of the name that the template's comment gives.
fn role_name(resource: &str) -> String {
    let template = yaml::document("deploy/cloudformation.yaml");
    let pointer = format!("/Resources/{resource}/Properties/RoleName/Fn::Sub");
    text(&template, &pointer).replace("${AWS::StackName}", "cw-publisher")
}
