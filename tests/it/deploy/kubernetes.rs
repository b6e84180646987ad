//! `deploy/kubernetes/`, of which `kubernetes-validate` (PyPI) compares each object with
//! the published schemas, in `tests/peer/test_deploy.py`. Here, where Python is not, a
//! list of required fields stands in for them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use cw_publisher::config::Config;
use serde_json::{Value, json};

use super::image::Image;
use super::program;
use super::{list, text, yaml};

const FILES: &[&str] = &[
    "deploy/kubernetes/cronjob.yaml",
    "deploy/kubernetes/deployment.yaml",
    "deploy/kubernetes/sidecar.yaml",
];

/// For each kind its version, the way to its pod, and the fields without which the API
/// refuses it.
const KINDS: &[(&str, &str, Option<&str>, &[&str])] = &[
    ("ConfigMap", "v1", None, &["/data/crontab"]),
    ("ServiceAccount", "v1", None, &[]),
    ("Pod", "v1", Some("/spec"), &[]),
    (
        "Deployment",
        "apps/v1",
        Some("/spec/template/spec"),
        &[
            "/spec/selector/matchLabels",
            "/spec/template/metadata/labels",
        ],
    ),
    (
        "CronJob",
        "batch/v1",
        Some("/spec/jobTemplate/spec/template/spec"),
        &[
            "/spec/schedule",
            "/spec/jobTemplate/spec/template/spec/restartPolicy",
        ],
    ),
];

/// A pod that holds a publisher.
struct Pod {
    file: &'static str,
    /// All objects of the file.
    objects: Vec<Value>,
    /// The object that the pod is, or is made by.
    object: Value,
    spec: Value,
}

impl Pod {
    fn of(file: &'static str) -> Self {
        let objects = yaml::documents(file);
        let mut pods = objects.iter().filter_map(|object| {
            let (.., pod, _) = kind(object);
            Some((object.clone(), object.pointer(pod?)?.clone()))
        });
        let (object, spec) = pods.next().unwrap_or_else(|| panic!("{file} has no pod"));
        assert!(pods.next().is_none(), "{file} has several pods");
        Self {
            file,
            objects,
            object,
            spec,
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        FILES.iter().map(|file| Self::of(file))
    }

    fn containers(&self) -> impl Iterator<Item = &Value> {
        let of_start = list(&self.spec, "/initContainers").iter();
        of_start.chain(list(&self.spec, "/containers"))
    }

    fn publisher(&self) -> &Value {
        let mut containers = self.containers();
        let publisher = containers.find(|container| container["name"] == "cw-publisher");
        publisher.unwrap_or_else(|| panic!("{} has no publisher", self.file))
    }

    fn config(&self) -> Config {
        program::config(
            &program::variables(self.publisher(), "/env"),
            self.crontab(),
        )
    }

    /// The crontab that is mounted, if one is.
    fn crontab(&self) -> Option<(PathBuf, String)> {
        let mounts = list(self.publisher(), "/volumeMounts").iter();
        let mut crontabs = mounts.filter_map(|mount| {
            let name = self.volume(text(mount, "/name"))["configMap"]["name"].as_str()?;
            let config_map = self
                .objects
                .iter()
                .find(|object| object["kind"] == "ConfigMap" && object["metadata"]["name"] == name);
            let config_map = config_map.unwrap_or_else(|| panic!("no ConfigMap {name}"));
            assert_eq!(mount["readOnly"], true);
            let path = PathBuf::from(text(mount, "/mountPath")).join("crontab");
            Some((path, text(config_map, "/data/crontab").to_owned()))
        });
        crontabs.next()
    }

    fn volume(&self, name: &str) -> &Value {
        let mut volumes = list(&self.spec, "/volumes").iter();
        let volume = volumes.find(|volume| volume["name"] == name);
        volume.unwrap_or_else(|| panic!("{}: no volume {name}", self.file))
    }

    /// The container's own setting counts before the pod's.
    fn security(&self, key: &str) -> &Value {
        let own = self.publisher()["securityContext"].get(key);
        own.unwrap_or(&self.spec["securityContext"][key])
    }
}

fn kind(object: &Value) -> (&'static str, Option<&'static str>, &'static [&'static str]) {
    let kind = text(object, "/kind");
    let mut known = KINDS.iter().filter(|(name, ..)| *name == kind);
    let (_, version, pod, required) = known.next().unwrap_or_else(|| panic!("kind {kind}"));
    (version, *pod, required)
}

#[test]
fn objects_have_their_required_fields() {
    for object in FILES.iter().flat_map(|file| yaml::documents(file)) {
        let (version, pod, required) = kind(&object);
        assert_eq!(object["apiVersion"], version);
        text(&object, "/metadata/name");
        for pointer in required {
            assert!(object.pointer(pointer).is_some(), "{pointer} of {object:#}");
        }
        let Some(spec) = pod.and_then(|pointer| object.pointer(pointer)) else {
            continue;
        };
        assert!(!list(spec, "/containers").is_empty());
        for container in list(spec, "/initContainers")
            .iter()
            .chain(list(spec, "/containers"))
        {
            text(container, "/name");
            text(container, "/image");
        }
    }
}

#[test]
fn publishers_are_configured() {
    for pod in Pod::all() {
        let config = pod.config();
        let grace = pod.spec["terminationGracePeriodSeconds"].as_u64().unwrap();
        assert!(
            Duration::from_secs(grace) > config.shutdown_grace,
            "{}",
            pod.file
        );
        // The image's entry point runs.
        assert_eq!(pod.publisher().get("command"), None, "{}", pod.file);
    }
}

#[test]
fn spool_is_a_volume_that_the_user_may_write_to() {
    let image = Image::read();
    for file in [
        "deploy/kubernetes/deployment.yaml",
        "deploy/kubernetes/sidecar.yaml",
    ] {
        let pod = Pod::of(file);
        let spool = pod.config().spool_dir.unwrap();
        assert_eq!(spool.to_str(), Some(image.spool()));
        let mut mounts = list(pod.publisher(), "/volumeMounts").iter();
        let mount = mounts
            .find(|mount| mount["mountPath"] == image.spool())
            .unwrap();
        assert_eq!(mount.get("readOnly"), None);
        assert!(pod.volume(text(mount, "/name"))["emptyDir"].is_object());
    }
}

#[test]
fn publishers_run_without_rights() {
    let image = Image::read();
    for pod in Pod::all() {
        for (key, value) in [
            ("runAsNonRoot", json!(true)),
            ("runAsUser", json!(image.id())),
            ("runAsGroup", json!(image.id())),
            ("seccompProfile", json!({ "type": "RuntimeDefault" })),
            ("allowPrivilegeEscalation", json!(false)),
            ("readOnlyRootFilesystem", json!(true)),
            ("capabilities", json!({ "drop": ["ALL"] })),
        ] {
            assert_eq!(*pod.security(key), value, "{key} in {}", pod.file);
        }
        // Without it neither the spool nor the token of the role could be used.
        assert_eq!(pod.spec["securityContext"]["fsGroup"], image.id());
    }
}

#[test]
fn probes_ask_where_the_health_is_told() {
    for file in [
        "deploy/kubernetes/deployment.yaml",
        "deploy/kubernetes/sidecar.yaml",
    ] {
        let pod = Pod::of(file);
        let publisher = pod.publisher();
        let [port] = list(publisher, "/ports") else {
            panic!("{file} needs one port");
        };
        assert_eq!(port["containerPort"], program::health_port(&pod.config()));
        // What answers as long as the process does, whether or not it is healthy.
        assert_eq!(text(publisher, "/livenessProbe/httpGet/path"), "/metrics");
        assert_eq!(publisher["livenessProbe"]["httpGet"]["port"], port["name"]);
    }
    let of_deployment = Pod::of("deploy/kubernetes/deployment.yaml");
    let publisher = of_deployment.publisher();
    assert_eq!(text(publisher, "/readinessProbe/httpGet/path"), "/healthz");
    let port = &publisher["ports"][0]["name"];
    assert_eq!(publisher["readinessProbe"]["httpGet"]["port"], *port);
    // That would take the application out of its service while CloudWatch is away.
    let of_sidecar = Pod::of("deploy/kubernetes/sidecar.yaml");
    assert_eq!(of_sidecar.publisher().get("readinessProbe"), None);
}

#[test]
fn names_within_the_manifests_fit() {
    let objects = yaml::documents("deploy/kubernetes/deployment.yaml");
    let accounts = objects
        .iter()
        .filter(|object| object["kind"] == "ServiceAccount");
    let accounts: Vec<_> = accounts
        .map(|account| text(account, "/metadata/name"))
        .collect();
    for pod in Pod::all() {
        assert!(
            accounts.contains(&text(&pod.spec, "/serviceAccountName")),
            "{}",
            pod.file
        );
        let volumes = list(&pod.spec, "/volumes").iter();
        let volumes: BTreeSet<_> = volumes.map(|volume| text(volume, "/name")).collect();
        let mounts = pod
            .containers()
            .flat_map(|container| list(container, "/volumeMounts"));
        let mounts: BTreeSet<_> = mounts.map(|mount| text(mount, "/name")).collect();
        assert_eq!(volumes, mounts, "{}", pod.file);
        let limits = &pod.publisher()["resources"];
        let [request, limit] =
            ["requests", "limits"].map(|kind| mebibytes(&limits[kind]["memory"]));
        assert!(request <= limit, "{}", pod.file);
    }
}

fn mebibytes(quantity: &Value) -> u64 {
    let count = quantity.as_str().and_then(|text| text.strip_suffix("Mi"));
    count
        .and_then(|count| count.parse().ok())
        .unwrap_or_else(|| panic!("memory {quantity}"))
}

#[test]
fn deployment_never_runs_two_publishers() {
    let deployment = Pod::of("deploy/kubernetes/deployment.yaml").object;
    assert_eq!(deployment["spec"]["replicas"], 1);
    assert_eq!(deployment["spec"]["strategy"]["type"], "Recreate");
    assert_eq!(
        deployment["spec"]["selector"]["matchLabels"],
        deployment["spec"]["template"]["metadata"]["labels"]
    );
}

#[test]
fn sidecar_is_a_native_one() {
    let pod = Pod::of("deploy/kubernetes/sidecar.yaml");
    let [publisher] = list(&pod.spec, "/initContainers") else {
        panic!("one container to start with");
    };
    assert_eq!(publisher["name"], "cw-publisher");
    assert_eq!(publisher["restartPolicy"], "Always");
    assert_eq!(program::command(list(publisher, "/args")), "run");
}

#[test]
fn cron_job_publishes_once_and_gives_up_on_a_bad_configuration() {
    let pod = Pod::of("deploy/kubernetes/cronjob.yaml");
    assert_eq!(program::command(list(pod.publisher(), "/args")), "once");
    assert_eq!(
        pod.spec["restartPolicy"], "Never",
        "podFailurePolicy wants that"
    );
    let job = &pod.object["spec"]["jobTemplate"]["spec"];
    assert_eq!(
        job["podFailurePolicy"]["rules"],
        json!([{
            "action": "FailJob",
            "onExitCodes": { "containerName": "cw-publisher", "operator": "In", "values": [78] },
        }])
    );
}
