//! What is mounted, looked at again.

use super::*;

#[tokio::test]
async fn what_is_mounted_is_looked_at_again_before_each_start() {
    let fixture = Fixture::start().await;
    let folder = fixture.place.path().join("mounts/data");
    fs::create_dir(&folder).unwrap();
    let mut mounted = config("web");
    mounted
        .volumes
        .insert(folder.display().to_string(), "/data:ro".to_owned());
    fixture.manager.create_container(mounted).await.unwrap();
    let asked = fixture.engine.requests_to("POST /containers/create")[0].json();
    let mount = &asked["HostConfig"]["Mounts"][0];
    assert_eq!(
        (&mount["Target"], &mount["ReadOnly"]),
        (&json!("/data"), &json!(true))
    );
    fs::remove_dir(&folder).unwrap();
    std::os::unix::fs::symlink("/etc", &folder).unwrap();
    let refused = fixture.manager.start_container("web").await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::MountNotAllowed);
    assert!(
        fixture
            .engine
            .requests_to("POST /containers/*/start")
            .is_empty()
    );
}

#[tokio::test]
async fn what_is_mounted_is_looked_at_after_the_stop_of_a_restart() {
    let fixture = Fixture::start().await;
    let folder = fixture.place.path().join("mounts/data");
    fs::create_dir(&folder).unwrap();
    let mut mounted = config("web");
    let source = folder.display().to_string();
    mounted.volumes.insert(source, "/data:ro".to_owned());
    fixture.manager.create_container(mounted).await.unwrap();
    fixture.manager.start_container("web").await.unwrap();
    let slow = Fault::delay(Duration::from_millis(200));
    fixture.engine.fail_next("POST /containers/*/stop", [slow]);
    let restarting = fixture
        .manager
        .restart_container("web", Duration::from_secs(300));
    let exchanging = async {
        fixture
            .engine
            .requests_at_least("POST /containers/*/stop", 1)
            .await;
        fs::remove_dir(&folder).unwrap();
        std::os::unix::fs::symlink("/etc", &folder).unwrap();
    };
    let (restarted, ()) = tokio::join!(restarting, exchanging);
    assert_eq!(restarted.unwrap_err().code, ErrorCode::MountNotAllowed);
    let starts = fixture.engine.requests_to("POST /containers/*/start").len();
    let restarts = fixture.engine.requests_to("POST /containers/*/restart");
    assert_eq!((starts, restarts.len()), (1, 0));
}

#[tokio::test]
async fn nothing_is_mounted_out_of_a_folder_that_another_may_write() {
    let fixture = Fixture::start().await;
    let data = fixture.place.path().join("mounts/data");
    fs::create_dir_all(data.join("sub")).unwrap();
    let with = |name: &str, folder: &std::path::Path, mode: &str| {
        let volume = (folder.display().to_string(), format!("/data:{mode}"));
        let mut mounted = config(name);
        mounted.volumes.extend([volume]);
        fixture.manager.create_container(mounted)
    };
    with("writer", &data, "rw").await.unwrap();
    with("equal", &data, "rw").await.unwrap();
    let refused = with("reader", &data.join("sub"), "ro").await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::MountNotAllowed);
    for name in ["writer", "equal"] {
        fixture.manager.delete_container(name, false).await.unwrap();
    }
    with("reader", &data.join("sub"), "ro").await.unwrap();
    let refused = with("writer", &data, "rw").await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::MountNotAllowed);
}
