//! Logs, within their bounds.

use super::*;

#[tokio::test]
async fn log_is_told_within_its_bounds() {
    let fixture = Fixture::start().await;
    let id = fixture.create("web").await;
    fixture.manager.start_container("web").await.unwrap();
    let container = fixture.engine.container("web").unwrap();
    container.stdout("one\n");
    container.stderr("two\n");
    let log = fixture
        .manager
        .get_container_logs("web", 100, None)
        .await
        .unwrap();
    let lines: Vec<_> = log
        .lines
        .iter()
        .map(|line| (line.stream, &*line.text))
        .collect();
    assert_eq!(
        (lines, log.truncated),
        (vec![("stdout", "one"), ("stderr", "two")], false)
    );
    for _ in 0..40 {
        container.stdout("x".repeat(40_000) + "\n");
    }
    let log = fixture
        .manager
        .get_container_logs(&id, 100, None)
        .await
        .unwrap();
    assert!(log.truncated && log.lines.len() < 40);
    let last = fixture
        .manager
        .get_container_logs(&id, 1, None)
        .await
        .unwrap();
    assert_eq!((last.lines.len(), last.truncated), (1, false));
    // As JSON these are six times as long.
    for _ in 0..40 {
        container.stdout("\u{1b}".repeat(10_000) + "\n");
    }
    let log = fixture
        .manager
        .get_container_logs(&id, 40, None)
        .await
        .unwrap();
    let sent = crate::json::raw(&log.lines).get().len();
    assert!(log.truncated && sent < 1_100_000, "{sent}");
}
