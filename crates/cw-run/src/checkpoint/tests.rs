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

fn cursor(stdout: Option<LogPosition>, stderr: Option<LogPosition>) -> LogCursor {
    LogCursor {
        stdout,
        stderr,
        floor: None,
    }
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
    first.advance(ID, &cursor(place(5), None)).await;
    first.advance(ID, &cursor(None, place(7))).await;
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
    checkpoint.advance(ID, &cursor(place(1), None)).await;
    assert!(checkpoint.cursor(ID).is_some());
    assert!(read(&path).unwrap().is_none());
}

/// A file of so many containers, each with the longest cursor.
fn write_containers(path: &Path, count: usize) {
    let longest = LogPosition {
        nanos: i64::MIN,
        lines: u32::MAX,
        offset: u64::MAX,
    };
    let cursor = LogCursor {
        floor: Some(Timestamp::from_nanos(i64::MIN)),
        ..cursor(Some(longest), Some(longest))
    };
    let mut content = super::file::Content::new("abc".to_owned(), "run".to_owned());
    let ids = (0..count).map(|number| format!("{number:064x}"));
    content.containers = ids.map(|id| (id, cursor.to_string())).collect();
    super::file::write(path, &content).unwrap();
}

#[tokio::test]
async fn as_many_containers_as_are_remembered_fit_and_not_one_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job");
    write_containers(&path, REMEMBERED_MAX);
    let checkpoint = open(&path).await.unwrap();
    checkpoint.begin(ID).await;
    checkpoint.advance(ID, &cursor(place(1), None)).await;
    assert_eq!(checkpoint.containers().len(), REMEMBERED_MAX);
    assert_eq!(checkpoint.cursor(ID), None);
    // One that is known is remembered all the same.
    let known = format!("{:064x}", 0);
    checkpoint.begin(&known).await;
    checkpoint.advance(&known, &cursor(place(7), None)).await;
    drop(checkpoint);
    let checkpoint = open(&path).await.unwrap();
    assert_eq!(checkpoint.containers().len(), REMEMBERED_MAX);
    assert_eq!(checkpoint.cursor(&known).unwrap().stdout, place(7));
    drop(checkpoint);
    write_containers(&path, REMEMBERED_MAX + 1);
    let refused = open(&path).await;
    assert!(matches!(refused, Err(CheckpointError::Damaged { .. })));
}

proptest! {
    #![proptest_config(cases(256))]
    #[test]
    fn no_content_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in r#"[\[\]{}",:a-z0-9_ ]{0,80}"#) {
        let _ = parse(&bytes);
        let _ = parse(text.as_bytes());
    }
}
