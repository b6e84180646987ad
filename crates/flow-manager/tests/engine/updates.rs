//! New code, and the old one again.

use std::sync::Arc;

use serde_json::json;

use crate::client::Client;
use crate::engine::{Engine, IMAGE};
use crate::support::{ADMIN, Ground};
use crate::tests;

tests![code_is_replaced_exactly_and_comes_back_if_it_does_not_run];

async fn code_is_replaced_exactly_and_comes_back_if_it_does_not_run(engine: Arc<Engine>) {
    let ground = Ground::new(&engine.url());
    let program = ground.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    let code = |version: &str, script: &str| {
        let folder = ground.place.path().join("code").join(version);
        std::fs::create_dir_all(folder.join("lib")).unwrap();
        std::fs::write(folder.join("run.sh"), script).unwrap();
        std::fs::write(folder.join("lib").join(version), "").unwrap();
        folder.display().to_string()
    };
    let sleeps = "trap exit TERM; while true; do sleep 1; done";
    let (first, second, broken) = (code("v1", sleeps), code("v2", sleeps), code("v3", "exit 3"));
    let create = json!({"image": IMAGE, "name": "coded", "command": ["sh", "/srv/app/run.sh"], "working_dir": "/srv/app"});
    client.must("create_container", create).await;
    engine
        .docker_text(&["cp", &format!("{first}/."), "coded:/srv/app"])
        .await;
    client
        .must("start_container", json!({"container_id": "coded"}))
        .await;
    let files = async || {
        engine
            .docker_text(&[
                "exec",
                "coded",
                "sh",
                "-c",
                "cd /srv/app && find . | sort | tr '\\n' ' '",
            ])
            .await
    };
    assert_eq!(files().await.trim_end(), ". ./lib ./lib/v1 ./run.sh");
    let updated = client
        .must(
            "update_container",
            json!({"container_id": "coded", "code_path": second}),
        )
        .await;
    assert_eq!(updated["status"]["state"], "running");
    assert_eq!(files().await.trim_end(), ". ./lib ./lib/v2 ./run.sh");
    let failed = client
        .ask(
            "update_container",
            json!({"container_id": "coded", "code_path": broken}),
        )
        .await;
    assert_eq!(
        (
            &failed["details"]["code"],
            &failed["details"]["rolled_back"]
        ),
        (&json!("update_failed"), &json!(true)),
        "{failed}"
    );
    assert_eq!(files().await.trim_end(), ". ./lib ./lib/v2 ./run.sh");
    let status = client
        .must("get_status", json!({"container_id": "coded"}))
        .await;
    assert_eq!(status["status"]["state"], "running");
}
