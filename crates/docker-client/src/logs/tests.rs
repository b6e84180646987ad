use std::collections::HashMap;
use std::sync::Mutex;

use bytes::Bytes;
use proptest::prelude::*;

use super::frame::tests::{chunks, frame};
use super::line::{CHUNK, Joining, Piece};
use super::reader::{Layout, LogReader};
use super::*;
use crate::testing::{Answer, Request, TestEngine, container, cut_off, json, whole};

const JOINING: Joining = Joining {
    max_line: 1024 * 1024,
    stamped: true,
    bare_last_chunk: false,
};

fn time(nanos: i64) -> String {
    Timestamp::from_nanos(1_795_000_000_000_000_000 + nanos).to_string()
}

/// The messages that the engine makes of a line.
fn messages(nanos: i64, line: &[u8], newline: bool, bare_last_chunk: bool) -> Vec<Vec<u8>> {
    let mut parts: Vec<&[u8]> = line.chunks(CHUNK).collect();
    if line.len().is_multiple_of(CHUNK) && newline {
        parts.push(b"");
    }
    let count = parts.len();
    let message = |(number, part): (usize, &&[u8])| {
        let mut message = format!("{} ", time(nanos)).into_bytes();
        message.extend(*part);
        let bare = bare_last_chunk && count > 1;
        if newline && number + 1 == count && !bare {
            message.push(b'\n');
        }
        message
    };
    parts.iter().enumerate().map(message).collect()
}

fn read(layout: Layout, chunks: Vec<Bytes>) -> Vec<Piece> {
    let mut reader = LogReader::new(layout);
    for chunk in chunks {
        reader.push(chunk).unwrap();
    }
    reader.finish();
    std::iter::from_fn(|| reader.pop()).collect()
}

/// Lines: how long, of which byte, to which stream, and whether a newline follows.
fn lines() -> impl Strategy<Value = Vec<(usize, u8, bool)>> {
    let length = prop_oneof![
        6 => 0usize..60,
        1 => Just(CHUNK - 1),
        1 => Just(CHUNK),
        1 => Just(CHUNK + 1),
        1 => Just(2 * CHUNK),
        1 => 2 * CHUNK..3 * CHUNK,
    ];
    let byte = any::<u8>().prop_filter("a line has no newline", |byte| *byte != b'\n');
    prop::collection::vec((length, byte, any::<bool>()), 0..8)
}

proptest! {
    #[test]
    fn lines_of_two_streams_come_out_as_they_were_written(
        lines in lines(),
        ended in any::<bool>(),
        bare_last_chunk in any::<bool>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut bytes = Vec::new();
        for (number, (length, byte, stderr)) in lines.iter().enumerate() {
            // Only the container's last words lack a newline.
            let newline = ended || number + 1 < lines.len();
            let line = vec![*byte; *length];
            for message in messages(number as i64, &line, newline, bare_last_chunk) {
                bytes.extend(frame(1 + u8::from(*stderr), &message));
            }
        }
        let joining = Joining { bare_last_chunk, ..JOINING };
        let read = read(Layout { tty: false, joining, bare: None }, chunks(&bytes, &cuts));
        for source in [Source::Stdout, Source::Stderr] {
            let wrote = lines.iter().enumerate().filter(|(number, (length, _, stderr))| {
                let silent = *length == 0 && !ended && number + 1 == lines.len();
                *stderr == (source == Source::Stderr) && !silent
            });
            let wrote: Vec<_> = wrote.map(|(_, (length, byte, _))| vec![*byte; *length]).collect();
            let came = read.iter().filter(|piece| piece.source == source && piece.ends);
            prop_assert_eq!(wrote, came.map(|piece| piece.bytes.to_vec()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn lines_of_a_tty_come_out_as_they_were_written(
        lines in lines(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut bytes = Vec::new();
        for (number, (length, byte, _)) in lines.iter().enumerate() {
            for message in messages(number as i64, &vec![*byte; *length], true, false) {
                bytes.extend(message);
            }
        }
        let read = read(Layout { tty: true, joining: JOINING, bare: None }, chunks(&bytes, &cuts));
        let wrote: Vec<_> = lines.iter().map(|(length, byte, _)| vec![*byte; *length]).collect();
        let came: Vec<_> = read.iter().map(|piece| piece.bytes.to_vec()).collect();
        prop_assert_eq!(wrote, came);
    }

    #[test]
    fn no_bytes_panic(
        bytes in prop::collection::vec(prop_oneof![0u8..4, any::<u8>()], 0..300),
        text in "([0-9TZ:. -]|2026-11-21T10:00:00.123456789Z |\n){0,20}",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        tty in any::<bool>(),
        stamped in any::<bool>(),
        bare in prop::option::of((Just(1_795_255_200_123_456_789), 0usize..20)),
    ) {
        for bytes in [&bytes[..], text.as_bytes(), &frame(1, text.as_bytes())] {
            let joining = Joining { stamped, max_line: 5, ..JOINING };
            let mut reader = LogReader::new(Layout { tty, joining, bare });
            for chunk in chunks(bytes, &cuts) {
                if reader.push(chunk).is_err() {
                    break;
                }
            }
            reader.finish();
            while let Some(piece) = reader.pop() {
                prop_assert!(piece.bytes.len() <= 5);
            }
        }
    }
}

#[test]
fn a_line_longer_than_the_limit_comes_in_pieces() {
    for length in [9, 10, 11, 20, 21] {
        let line = vec![b'x'; length];
        let bytes = frame(1, &messages(0, &line, true, false).concat());
        let joining = Joining {
            max_line: 10,
            ..JOINING
        };
        let pieces = read(
            Layout {
                tty: false,
                joining,
                bare: None,
            },
            vec![bytes.into()],
        );
        let lengths: Vec<_> = pieces.iter().map(|piece| piece.bytes.len()).collect();
        let expected: Vec<_> = line.chunks(10).map(<[u8]>::len).collect();
        assert_eq!(lengths, expected);
        let (last, before) = pieces.split_last().unwrap();
        assert!(
            last.ends && !last.partial && before.iter().all(|piece| piece.partial && !piece.ends)
        );
    }
}

#[test]
fn the_last_words_of_a_tty_do_not_run_into_the_next_run() {
    let mut log = messages(0, b"login: ", false, false).concat();
    log.extend(messages(5, b"hello\r", true, false).concat());
    let bare = Some((1_795_000_000_000_000_000, "login: ".len()));
    let pieces = read(
        Layout {
            tty: true,
            joining: JOINING,
            bare,
        },
        vec![log.into()],
    );
    let texts: Vec<_> = pieces
        .iter()
        .map(|piece| (&piece.bytes[..], piece.partial))
        .collect();
    assert_eq!(texts, [(&b"login: "[..], true), (b"hello\r", false)]);
}

/// About 2 kB of log with what is hard to cut: lines of one instant, empty ones, no UTF-8,
/// bytes like a frame's header, one in pieces, the last without a newline.
fn log(tty: bool) -> Vec<(i64, Vec<u8>)> {
    let mut log = Vec::new();
    let long = vec![b'l'; 1100];
    let lines: [(i64, u8, &[u8]); 16] = [
        (0, 1, b"first"),
        (0, 1, b"first"),
        (0, 2, b"error"),
        (1, 1, b""),
        (1, 1, b""),
        (2, 2, b"\xff\xfe"),
        (900_000_000, 1, b"\x01\0\0\0\0\0\0\x05hello"),
        (900_000_001, 2, &long),
        (899_000_000, 1, b"late"),
        (5_000_000_000, 2, b"after a pause"),
        (5_000_000_000, 2, b"twin"),
        (5_000_000_000, 2, b"twin"),
        (5_000_000_001, 1, &long[..300]),
        (9_000_000_000, 1, b"\r"),
        (9_000_000_001, 2, b"bye"),
        (9_000_000_002, 1, b"no newline"),
    ];
    for (number, (nanos, kind, line)) in lines.iter().enumerate() {
        let newline = number + 1 < lines.len();
        // A TTY has one stream, in which times ascend.
        let nanos = if tty {
            number as i64 * 400_000_000
        } else {
            *nanos
        };
        for message in messages(nanos, line, newline, false) {
            let bytes = if tty { message } else { frame(*kind, &message) };
            log.push((1_795_000_000_000_000_000 + nanos, bytes));
        }
    }
    log
}

/// An engine whose container's id says where the first answer is cut; the second is cut in the
/// middle of that.
fn engine(tty: bool) -> TestEngine {
    let asked: Mutex<HashMap<String, usize>> = Mutex::default();
    TestEngine::start(move |request: &Request| -> Answer {
        let id = request.line.split('/').nth(2).unwrap().to_owned();
        if request.line.ends_with("/json") {
            return container(&id, "exited", tty, "json-file");
        }
        let since = request
            .query("since")
            .map_or(0.0, |since| since.parse().unwrap());
        let bytes: Vec<u8> = log(tty)
            .into_iter()
            .filter(|(nanos, _)| *nanos as f64 / 1e9 >= since)
            .flat_map(|(_, bytes)| bytes)
            .collect();
        let mut asked = asked.lock().unwrap();
        let count = asked.entry(id.clone()).or_default();
        *count += 1;
        let cut = usize::from_str_radix(&id, 16).unwrap();
        match *count {
            1 => cut_off(&bytes[..cut]),
            2 => cut_off(&bytes[..bytes.len().min(cut / 2)]),
            _ => whole(&bytes),
        }
    })
}

type Lines = Vec<(Option<Timestamp>, Bytes, bool)>;

/// The lines of each stream, with the first answer cut there.
async fn follow(client: &DockerApiClient, cut: usize) -> [Lines; 2] {
    let options = LogOptions {
        max_line: 64,
        ..LogOptions::default()
    };
    let id = format!("{cut:064x}");
    let mut stream = client.follow_container_logs(&id, options).await.unwrap();
    let mut streams = [Vec::new(), Vec::new()];
    while let Some(item) = stream.next().await {
        match item.unwrap() {
            LogItem::Line(line) => {
                streams[line.stream as usize].push((line.timestamp, line.bytes, line.partial));
            }
            LogItem::Gap(gap) => panic!("cut at {cut}: {gap:?}"),
        }
    }
    streams
}

async fn cut_everywhere(tty: bool) {
    let engine = engine(tty);
    let client = engine.client().await;
    let length = log(tty).iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    assert!(length > 1800, "{length}");
    let expected = follow(&client, length).await;
    // Side by side: each waits a little after its second cut.
    let followed = futures_util::stream::iter(0..length)
        .map(async |cut| (cut, follow(&client, cut).await))
        .buffer_unordered(100);
    let followed: Vec<_> = followed.collect().await;
    assert_eq!(followed.len(), length);
    for (cut, streams) in followed {
        assert_eq!(streams, expected, "cut at {cut}");
    }
    let [stdout, stderr] = expected;
    let ends = if tty { (37, 0) } else { (13, 24) };
    assert_eq!((stdout.len(), stderr.len()), ends);
    assert!(stdout.last().unwrap().2, "the last words have no newline");
}

#[tokio::test]
async fn lines_are_the_same_wherever_the_connection_is_cut() {
    cut_everywhere(false).await;
}

#[tokio::test]
async fn lines_of_a_tty_are_the_same_wherever_the_connection_is_cut() {
    cut_everywhere(true).await;
}

#[tokio::test]
async fn a_driver_that_keeps_nothing_is_an_error() {
    let engine = TestEngine::start(|_| container("a", "running", false, "none"));
    let followed = engine
        .client()
        .await
        .follow_container_logs("web", LogOptions::default())
        .await;
    let error = followed.unwrap_err();
    assert!(
        matches!(&error, DockerClientError::LogsUnavailable { driver, .. } if driver == "none")
    );
    assert!(error.to_string().contains("json-file"), "{error}");
}

#[tokio::test]
async fn an_error_of_the_engine_in_every_answer_ends_the_following() {
    let engine = TestEngine::start(|request| match request.line.ends_with("/json") {
        true => container("a", "running", false, "json-file"),
        false => whole(&frame(3, b"error grabbing logs: invalid character")),
    });
    let client = engine.client().await;
    let mut stream = client
        .follow_container_logs("web", LogOptions::default())
        .await
        .unwrap();
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("invalid character"), "{error}");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_container_that_is_removed_while_the_connection_is_cut_is_not_found() {
    let asked = Mutex::new(0);
    let engine = TestEngine::start(move |request| {
        if request.line.ends_with("/json") {
            return container("a", "running", false, "json-file");
        }
        let mut asked = asked.lock().unwrap();
        *asked += 1;
        match *asked {
            1 => cut_off(&frame(1, &messages(0, b"a", true, false).concat())),
            _ => json(404, r#"{"message":"No such container: a"}"#),
        }
    });
    let client = engine.client().await;
    let mut stream = client
        .follow_container_logs("web", LogOptions::default())
        .await
        .unwrap();
    assert!(stream.next().await.unwrap().is_ok());
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(matches!(&error, DockerClientError::ContainerNotFound { name } if name == "web"));
}

#[tokio::test]
async fn more_than_the_limit_is_an_error() {
    let engine = TestEngine::start(|request| match request.line.ends_with("/json") {
        true => container("a", "exited", false, "json-file"),
        false => whole(&frame(1, b"0123456789\n")),
    });
    let client = engine.client().await;
    let options = |max_bytes| LogOptions {
        max_bytes,
        ..LogOptions::default()
    };
    let error = client
        .get_container_logs("web", options(10))
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        DockerClientError::TooLarge { limit: 10, .. }
    ));
    let logs = client.get_container_logs("web", options(11)).await.unwrap();
    assert_eq!(logs.bytes(), b"0123456789\n");
}
