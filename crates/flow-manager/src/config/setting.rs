//! The one list of variables.

settings::settings! {
    LISTEN = "127.0.0.1:7070", "address and port, or unix:/path for a socket of our user alone";
    STATE_DIR = "/var/lib/flow-manager", "folder of what must outlive a restart; the same path on the host";
    TOKENS_FILE = "", "lines `role name token`, role read, operate or admin; without it a token is made in STATE_DIR";
    ALLOWED_ORIGINS = "", "origins of other pages that may connect, and so hosts: https://flows.example.com";
    /// Who terminates TLS is the only one to be believed.
    TRUSTED_PROXY = "", "network of the proxy that speaks TLS, as 10.0.0.0/8; required unless LISTEN is loopback";
    INSECURE = "0", "1 to let others connect without TLS";
    IMAGES = "**", "patterns of allowed images, parted by commas: flow:*,registry.example/team/**";
    MOUNT_ROOTS = "", "folders of the host that may be mounted, parted by commas";
    CODE_ROOTS = "", "folders of the host that code may come from, parted by commas";
    /// A published port of all addresses goes past most firewalls: Docker opens them.
    PUBLISH_ADDR = "127.0.0.1", "address that ports are published on";
    FLOW_NETWORK = "", "network of the flows; without it Docker's default";
    /// Many flows share a host.
    FLOW_MEMORY = "512MiB", "most memory of a flow, without swap";
    FLOW_PIDS = "256", "most processes and threads of a flow";
    FLOW_SECURITY_OPT = "", "more security options, parted by commas: label=type:flow_t";
    PULL = "missing", "when images are pulled: missing, always or never";
    METRICS_ADDR = "", "address and port of /metrics; without it there is none";
    /// Docker kills after ten seconds.
    SHUTDOWN_GRACE = "8s", "how long operations under way may take when it stops";
    LOG_LEVEL = "info", "error, warn, info, debug, trace or off";
    LOG_FORMAT = "json", "json or text";
    DOCKER_HOST = "", "unix:///path of the engine's socket; without it the local one";
}
