"""The command where only a real terminal, or an engine with TLS, will do."""

GREEN, RED = "\x1b[32m", "\x1b[31m"


def test_colours_are_for_terminals(containers, ours):
    text = ours.on_a_terminal("ps", "--all")
    assert f"{GREEN}running" in text and f"{RED}exited" in text
    assert "\x1b" not in ours.on_a_terminal("ps", "--all", NO_COLOR="1")
    code, out, _ = ours("ps", "--all")
    assert code == 0 and b"running" in out and b"\x1b" not in out
    assert RED in ours.on_a_terminal("inspect", "nope")


def test_engine_with_tls_is_asked_by_who_has_a_certificate(containers, ours, certificates, tls_address):
    tls = {"DOCKER_HOST": tls_address, "DOCKER_TLS_VERIFY": "1"}
    code, out, err = ours("logs", "both", DOCKER_CERT_PATH=str(certificates["client"]), **tls)
    assert (code, out) == (0, b"out\nend"), err
    # An exec takes the connection over.
    code, out, err = ours("exec", "plain", "echo", "hi", DOCKER_CERT_PATH=str(certificates["client"]), **tls)
    assert (code, out) == (0, b"hi\n"), err
    code, out, err = ours("ps", DOCKER_CERT_PATH=str(certificates["stranger"]), **tls)
    assert (code, out) == (1, b"") and b"UnknownIssuer" in err, err
    mixed = certificates["client"].parent / "mixed"
    mixed.mkdir()
    # The engine does not know who asks.
    for name, whose in (("ca.pem", "client"), ("cert.pem", "stranger"), ("key.pem", "stranger")):
        (mixed / name).write_bytes((certificates[whose] / name).read_bytes())
    code, out, err = ours("ps", DOCKER_CERT_PATH=str(mixed), **tls)
    assert (code, out) == (1, b"") and b"BadCertificate" in err, err
    code, _, err = ours("ps", DOCKER_HOST=tls_address)
    assert code == 1, err
