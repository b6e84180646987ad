use docker_client::LogPosition;
use proptest::prelude::*;
use test_support::cases;

use super::file::{parse, read};
use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn place(nanos: i64) -> Option<LogPosition> {
    Some(LogPosition {
        nanos,
        lines: 1,
        offset: 0,
    })
}

async fn open(path: &Path) -> Result<Checkpoint, CheckpointError> {
    Checkpoint::open(path, "abc", "run1".to_owned()).await
}

#[tokio::test]
async fn what_was_accepted_is_there_after_a_new_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job");
    let first = open(&path).await.unwrap();
    assert_eq!(
        (first.containers(), first.cursor(ID), first.exit_code()),
        (vec![], None, None)
    );
    first.begin(ID).await;
    first
        .advance(
            ID,
            Places {
                stdout: place(5),
                stderr: None,
            },
        )
        .await;
    first
        .advance(
            ID,
            Places {
                stdout: None,
                stderr: place(7),
            },
        )
        .await;
    drop(first);
    let second = Checkpoint::open(&path, "abc", "run2".to_owned())
        .await
        .unwrap();
    let cursor = second.cursor(ID).unwrap();
    assert_eq!((cursor.stdout, cursor.stderr), (place(5), place(7)));
    assert_eq!(
        (second.containers(), second.run()),
        (vec![ID.to_owned()], "run1".to_owned())
    );
    second.end(3).await;
    drop(second);
    assert_eq!(open(&path).await.unwrap().exit_code(), Some(3));
}

#[tokio::test]
async fn other_arguments_and_other_processes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job");
    let first = open(&path).await.unwrap();
    assert!(matches!(
        open(&path).await,
        Err(CheckpointError::InUse { .. })
    ));
    drop(first);
    let other = Checkpoint::open(&path, "xyz", "run".to_owned())
        .await
        .unwrap_err();
    assert!(matches!(other, CheckpointError::OtherArguments { .. }) && other.is_configuration());
    assert!(open(&path).await.is_ok());
}

#[tokio::test]
async fn what_is_no_checkpoint_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job");
    let endless = format!("{{\"version\":1,\"arguments\":\"{}", "x".repeat(2 << 20));
    let foreign = r#"{"version":1,"arguments":"abc","run":"r","containers":{"../../etc":""},"exit_code":null}"#;
    for text in [
        "",
        "{}",
        "[]",
        "nonsense",
        "{\"version\":2,\"arguments\":\"abc\",\"run\":\"r\",\"containers\":{},\"exit_code\":null}",
        &endless,
        foreign,
    ] {
        std::fs::write(&path, text).unwrap();
        assert!(
            matches!(open(&path).await, Err(CheckpointError::Damaged { .. })),
            "{}",
            &text[..text.len().min(60)]
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
    let pipe = folder.path().join("folder");
    std::fs::create_dir(&pipe).unwrap();
    assert!(matches!(
        open(&pipe).await,
        Err(CheckpointError::Damaged { .. })
    ));
    let nowhere = open(&folder.path().join("no/where")).await.unwrap_err();
    assert!(matches!(nowhere, CheckpointError::File { .. }));
}

#[tokio::test]
async fn folder_that_is_gone_keeps_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sub/job");
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    let checkpoint = open(&path).await.unwrap();
    std::fs::remove_dir_all(folder.path().join("sub")).unwrap();
    checkpoint
        .advance(
            ID,
            Places {
                stdout: place(1),
                stderr: None,
            },
        )
        .await;
    assert!(checkpoint.cursor(ID).is_some());
    assert!(read(&path).unwrap().is_none());
}

proptest! {
    #![proptest_config(cases(256))]
    #[test]
    fn no_content_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in r#"[\[\]{}",:a-z0-9_ ]{0,80}"#) {
        let _ = parse(&bytes);
        let _ = parse(text.as_bytes());
    }
}
