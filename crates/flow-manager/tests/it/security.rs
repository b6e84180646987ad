//! Each sentence on security, with an attempt to break it.

use std::os::unix::fs::{PermissionsExt, symlink};

use docker_local::Container;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::client::{Client, Engine};
use crate::support::{ADMIN, READ, Site, http, until, within};

#[tokio::test]
async fn nobody_comes_in_without_a_token() {
    let site = Site::new().await;
    let program = site.start().await;
    for (auth, code) in [
        (json!(null), "missing_token"),
        (json!({}), "missing_token"),
        (json!({"token": ""}), "missing_token"),
        (json!({"token": 5}), "missing_token"),
        (json!({"token": "wrong"}), "invalid_token"),
        (json!({"token": format!("{ADMIN}x")}), "invalid_token"),
        (json!({"token": ADMIN[1..]}), "invalid_token"),
    ] {
        let refused = Client::try_connect(&program, &auth).await.err();
        assert_eq!(refused.as_deref(), Some(code), "{auth}");
    }
    // Who is not let in is not heard.
    let mut engine = Engine::connect(program.address()).await;
    engine.send(r#"421["list_containers",{}]"#).await;
    while let Some(frame) = engine.frame().await {
        assert!(!frame.starts_with('4'), "{frame}");
    }
}

#[tokio::test]
async fn wrong_tokens_are_refused_and_lock_nobody_out() {
    /// A tenth of what is promised, unless all is asked for when the test is built.
    const ATTEMPTS: u32 = if option_env!("FLOW_MANAGER_FULL").is_some() {
        10_000
    } else {
        1_000
    };
    let site = Site::new().await;
    let program = site.start().await;
    let mut friend = Client::connect(&program, READ).await;
    let (mut wrong, mut limited) = (0, 0);
    let mut engine = Engine::connect(program.address()).await;
    for attempt in 0..ATTEMPTS {
        if attempt % 100 == 0 {
            engine = Engine::connect(program.address()).await;
        }
        let answer = engine.ask_to_connect(&format!("{attempt:032}")).await;
        match answer.as_str() {
            r#"44{"message":"invalid_token"}"# => wrong += 1,
            r#"44{"message":"rate_limited"}"# => limited += 1,
            other => panic!("{other}"),
        }
    }
    assert!(
        wrong < 200 && wrong + limited == ATTEMPTS,
        "{wrong} {limited}"
    );
    // Who is in stays in, and who has a token comes in from the same address.
    friend.must("list_containers", json!({})).await;
    let mut again = Client::connect(&program, READ).await;
    again.must("list_containers", json!({})).await;
}

#[tokio::test]
async fn pages_of_others_and_other_names_are_refused() {
    let mut site = Site::new().await;
    site.set("ALLOWED_ORIGINS", "https://flows.example");
    let program = site.start().await;
    let address = program.address();
    let own = format!("http://{address}");
    for (name, value, status) in [
        ("origin", "https://evil.example", Some(403)),
        ("origin", "null", Some(403)),
        ("host", "evil.example", Some(403)),
        ("origin", "https://flows.example", None),
        ("origin", &*own, None),
    ] {
        let refused = Engine::try_connect(address, &[(name, value)]).await.err();
        assert_eq!(refused, status, "{name}: {value}");
    }
    for (host, path, expected) in [
        ("evil.example", "/", 403),
        ("evil.example", "/socket.io/?EIO=4&transport=polling", 403),
        ("flows.example", "/", 200),
        // The probes are for who does not know the name, and tell nothing else.
        ("10.0.0.1", "/healthz", 200),
    ] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(
            http(address, head.as_bytes()).await.0,
            expected,
            "{host} {path}"
        );
    }
    assert_eq!(program.get("/metrics").await.0, 404);
    let (_, page) = program.get("/").await;
    for header in [
        "content-security-policy: default-src 'none'",
        "x-content-type-options: nosniff",
    ] {
        assert!(page.contains(header), "{header}");
    }
}

#[tokio::test]
async fn mounts_out_of_the_roots_are_refused() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    let root = site.place.path().join("mounts");
    let path = |name: &str| root.join(name).display().to_string();
    std::fs::create_dir(root.join("data")).unwrap();
    symlink("/etc", root.join("link")).unwrap();
    symlink(site.state(), root.join("state")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("docker.sock")).unwrap();
    for source in [
        "/".to_owned(),
        "/etc".to_owned(),
        "/var/run/docker.sock".to_owned(),
        site.engine.socket().unwrap().display().to_string(),
        site.state().display().to_string(),
        site.place.path().join("tokens").display().to_string(),
        "..".to_owned(),
        path("../state"),
        path("data/../../state"),
        path("link"),
        path("link/passwd"),
        path("state"),
        path("docker.sock"),
        path("none"),
        "volume".to_owned(),
        String::new(),
    ] {
        let create = json!({"image": "flow:1", "volumes": {&source: "/data"}});
        assert_eq!(
            client.refused("create_container", create).await,
            "mount_not_allowed",
            "{source}"
        );
    }
    let over = json!({"image": "flow:1", "volumes": {path("data"): "/run/flow"}});
    assert_eq!(
        client.refused("create_container", over).await,
        "invalid_value"
    );
    assert!(
        site.engine
            .requests_to("POST /containers/create")
            .is_empty()
    );
    let create = json!({"image": "flow:1", "name": "web", "working_dir": "/app", "volumes": {path("data"): "/data"}});
    client.must("create_container", create).await;
    for code in ["/", "/etc", &path("data"), &path("../code/../state")] {
        let update = json!({"container_id": "web", "code_path": code});
        assert_eq!(
            client.refused("update_container", update).await,
            "code_path_not_allowed",
            "{code}"
        );
    }
}

#[tokio::test]
async fn containers_of_other_programs_are_not_there() {
    let site = Site::new().await;
    let program = site.start().await;
    let other = site.engine.add(Container::named("database").running());
    let mut client = Client::connect(&program, ADMIN).await;
    for name in [other.id(), &other.id()[..12], "database"] {
        let container = json!({"container_id": name});
        for event in [
            "start_container",
            "stop_container",
            "restart_container",
            "pause_container",
            "delete_container",
            "get_status",
            "get_logs",
            "subscribe_logs",
        ] {
            assert_eq!(
                client.refused(event, container.clone()).await,
                "container_not_found",
                "{event}"
            );
        }
        let message = json!({"container_id": name, "message": {"command": "x"}});
        assert_eq!(
            client.refused("send_message", message).await,
            "container_not_found"
        );
    }
    let asked = site.engine.requests_to("* /containers/*");
    assert!(
        asked
            .iter()
            .all(|request| request.path == "/containers/json")
    );
}

#[tokio::test]
async fn names_that_a_shell_or_a_terminal_would_obey_are_refused_and_escaped() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut client = Client::connect(&program, ADMIN).await;
    for name in [
        "a;reboot",
        "$(id)",
        "`id`",
        "../../x",
        "a b",
        "\u{1b}[2J",
        "a\nb",
        "-v",
    ] {
        let create = json!({"image": "flow:1", "name": name});
        assert_eq!(
            client.refused("create_container", create).await,
            "invalid_value",
            "{name:?}"
        );
        let answer = client
            .ask("start_container", json!({"container_id": name}))
            .await;
        let message = answer["message"].as_str().unwrap();
        assert!(!message.contains(['\u{1b}', '\n']), "{message:?}");
    }
    for image in ["-flag", "a b", "UPPER", "flow:1;id", "\u{1b}[31m"] {
        assert_eq!(
            client
                .refused("create_container", json!({"image": image}))
                .await,
            "invalid_value",
            "{image}"
        );
    }
    // The library ends a connection that names an event with escapes.
    client.begin("\u{1b}[2Jevent\n", &json!({})).await;
    while client.engine.frame().await.is_some() {}
    assert!(!program.log().contains('\u{1b}'));
}

#[tokio::test]
async fn message_of_a_hundred_megabytes_ends_its_own_connection_only() {
    let site = Site::new().await;
    let program = site.start().await;
    let mut friend = Client::connect(&program, READ).await;
    let before = program.resident();
    let mut client = Client::connect(&program, ADMIN).await;
    client.engine.send("x".repeat(100_000_000)).await;
    while client.engine.frame().await.is_some() {}
    // The same over polling, of a session that there is.
    let open = program.get("/socket.io/?EIO=4&transport=polling").await.1;
    let sid = open
        .split("\"sid\":\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let head = format!(
        "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: {}\r\nContent-Length: 100000000\r\n\r\n",
        program.address()
    );
    let mut stream = TcpStream::connect(program.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // It is refused, or cut off, long before its end.
    let piece = vec![b'x'; 1_000_000];
    let mut sent = 0;
    while sent < 100 && within("a write", stream.write_all(&piece)).await.is_ok() {
        sent += 1;
    }
    drop(stream);
    friend.must("list_containers", json!({})).await;
    assert!(
        program.resident() < before + 32 * 1024,
        "{} KiB after {sent} MB",
        program.resident()
    );
}

#[tokio::test]
async fn socket_of_our_own_needs_no_token_and_opens_to_nobody_else() {
    let mut site = Site::new().await;
    let socket = site.place.path().join("s.sock");
    site.set("LISTEN", &format!("unix:{}", socket.display()));
    let program = site.start_unready().await;
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let ask = async |method: &str, query: &str, body: &str| {
        let head = format!(
            "{method} /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let mut stream = UnixStream::connect(&socket).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within("an answer", stream.read_to_string(&mut answer))
            .await
            .unwrap();
        answer
    };
    let open = ask("GET", "", "").await;
    let sid = open
        .split("\"sid\":\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let query = format!("&sid={sid}");
    assert!(ask("POST", &query, "40").await.contains("ok"));
    assert!(ask("GET", &query, "").await.contains("40{\"sid\":"));
    assert!(program.stop().await.success());
    assert!(!socket.exists());
}

#[tokio::test]
async fn token_is_made_at_the_first_start_and_its_place_is_told() {
    let mut site = Site::new().await;
    site.set("TOKENS_FILE", "");
    let program = site.start().await;
    let file = site.state().join("tokens");
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let text = std::fs::read_to_string(&file).unwrap();
    let token = text.split_whitespace().last().unwrap();
    assert!(!program.log().contains(token) && program.log().contains("state/tokens"));
    Client::connect(&program, token)
        .await
        .must("list_containers", json!({}))
        .await;
    program.stop().await;
    let program = site.start().await;
    Client::connect(&program, token).await;
    // Other tokens hold after SIGHUP: who came in with one that is gone is out.
    let text = format!("{text}admin me {ADMIN}\n");
    std::fs::write(&file, text).unwrap();
    let again = async |times: usize| {
        program.signal("HUP");
        until("the tokens", || {
            program.log().matches("tokens read again").count() == times
        })
        .await;
    };
    again(1).await;
    let mut withdrawn = Client::connect(&program, token).await;
    let mut kept = Client::connect(&program, ADMIN).await;
    withdrawn.must("list_containers", json!({})).await;
    std::fs::write(&file, format!("admin me {ADMIN}\n")).unwrap();
    again(2).await;
    while let Some(frame) = withdrawn.engine.frame().await {
        if frame == "41" {
            break;
        }
    }
    kept.must("list_containers", json!({})).await;
    // A file that is wrong changes nothing.
    Client::connect(&program, ADMIN).await;
    assert!(
        Client::try_connect(&program, &json!({"token": token}))
            .await
            .is_err()
    );
    std::fs::write(&file, "wrong").unwrap();
    program.signal("HUP");
    until("the problem", || {
        program.line("tokens not read, the old ones hold").is_some()
    })
    .await;
    Client::connect(&program, ADMIN).await;
}

#[tokio::test]
async fn wrong_settings_are_told_all_at_once_with_78() {
    let mut site = Site::new().await;
    for (name, value) in [
        ("LISTEN", "0.0.0.0:7070"),
        ("DOCKER_HOST", "tcp://127.0.0.1:1"),
        ("PULL", "x"),
    ] {
        site.set(name, value);
    }
    for command in ["check", "run"] {
        let output = site.command().arg(command).output().await.unwrap();
        assert_eq!(output.status.code(), Some(78));
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        for name in ["LISTEN", "DOCKER_HOST", "PULL"] {
            assert_eq!(
                text.lines().filter(|line| line.contains(name)).count(),
                1,
                "{text}"
            );
        }
    }
    let help = site.command().arg("--help").output().await.unwrap();
    assert!(
        help.status.success() && String::from_utf8_lossy(&help.stdout).contains("TRUSTED_PROXY")
    );
    assert_eq!(
        site.command()
            .arg("walk")
            .output()
            .await
            .unwrap()
            .status
            .code(),
        Some(2)
    );
}

#[tokio::test]
async fn second_flow_manager_over_the_same_state_does_not_start() {
    let site = Site::new().await;
    let program = site.start().await;
    let second = site.command().output().await.unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stdout).contains("another flow-manager uses"));
    assert!(program.stop().await.success());
}
