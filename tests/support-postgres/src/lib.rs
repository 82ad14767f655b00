//! A temporary PostgreSQL server for tests. It must not know what is stored in it.
//!
//! Each test binary gets its own server in a temporary folder. Both are removed when the process ends, also when it is
//! killed. Where PostgreSQL is not installed, tests that need it print that and pass, unless `PLANEBOT_REQUIRE_POSTGRES` is
//! set. The programs are looked for in `PLANEBOT_POSTGRES_BIN`, under `/usr/lib/postgresql`, and in the path.
#![expect(clippy::unwrap_used, reason = "only tests use this crate")]

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::Connection as _;

/// A server on a local TCP port. Its superuser is `boss`, with the password [`PASSWORD`].
#[derive(Debug)]
pub struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    databases: AtomicUsize,
    /// Stops the server and removes the folder once its standard input closes, which happens to a killed process too.
    _cleaner: Child,
}

/// The superuser's password.
pub const PASSWORD: &str = "hunter2";

/// The server that all tests of this binary share, each in its own database. `None` where PostgreSQL is not installed.
pub fn shared() -> Option<&'static Cluster> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    SHARED.get_or_init(Cluster::start).as_ref()
}

impl Cluster {
    /// Starts a server of its own, for a test that stops it. `None` where PostgreSQL is not installed.
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            let required = std::env::var_os("PLANEBOT_REQUIRE_POSTGRES").is_some();
            assert!(!required, "PostgreSQL is required and was not found");
            let skipped = "PostgreSQL was not found: tests on it are SKIPPED\n";
            // Written past the test runner's capture, so that it is always visible.
            std::io::stderr().write_all(skipped.as_bytes()).unwrap();
            return None;
        };
        let folder = tempfile::tempdir().unwrap().keep();
        hand_to_postgres(&folder);
        let mut cleaner = Command::new("sh");
        cleaner.args(["-c", CLEANER, "sh"]);
        let cleaner = cleaner
            .arg(programs.join("pg_ctl"))
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut cluster = Self {
            programs,
            folder,
            port: 0,
            databases: AtomicUsize::new(0),
            _cleaner: cleaner,
        };
        cluster.init();
        cluster.start_on_free_port();
        Some(cluster)
    }

    /// Creates a database and returns its URL for the superuser.
    pub async fn database(&self) -> String {
        let name = format!("law{}", self.databases.fetch_add(1, Ordering::SeqCst));
        self.execute("postgres", &format!("CREATE DATABASE {name}"))
            .await;
        self.url(&name)
    }

    /// A database's URL for the superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://boss:{PASSWORD}@{}/{database}", self.address())
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Executes SQL in a database as the superuser.
    pub async fn execute(&self, database: &str, statement: &str) {
        sqlx::any::install_default_drivers();
        let mut raw = sqlx::AnyConnection::connect(&self.url(database))
            .await
            .unwrap();
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        sqlx::raw_sql(statement).execute(&mut raw).await.unwrap();
        raw.close().await.unwrap();
    }

    /// Simulates a power cut: the server stops at once and writes nothing more.
    pub fn stop_immediately(&self) {
        assert!(self.pg_ctl(&["stop", "-m", "immediate"]), "it ran");
    }

    /// Starts the stopped server on the same port with the same files; whether it did start.
    pub fn restart(&self) -> bool {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=300",
            self.port
        );
        let log = self.folder.join("log");
        self.pg_ctl(&["start", "-w", "-l", log.to_str().unwrap(), "-o", &options])
    }

    /// Restarts the server with a table's file on a device that is always full, as on a full disk.
    pub async fn restart_on_full_disk(&self, database: &str, table: &str) {
        sqlx::any::install_default_drivers();
        let mut raw = sqlx::AnyConnection::connect(&self.url(database))
            .await
            .unwrap();
        let (path,): (String,) = sqlx::query_as("SELECT pg_relation_filepath($1::text::regclass)")
            .bind(table)
            .fetch_one(&mut raw)
            .await
            .unwrap();
        raw.close().await.unwrap();
        // A clean shutdown: after any other, the server would replay its log into this file, and fail.
        assert!(self.pg_ctl(&["stop", "-m", "fast"]), "it ran");
        let file = self.files().join(path);
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/dev/full", &file).unwrap();
        assert!(self.restart());
    }

    fn init(&self) {
        let secret = self.folder.join("password");
        std::fs::write(&secret, PASSWORD).unwrap();
        let mut initdb = as_postgres(&self.programs.join("initdb"));
        initdb.args([
            "-A",
            "scram-sha-256",
            "-U",
            "boss",
            "-E",
            "UTF8",
            "--locale=C",
            "--pwfile",
        ]);
        let made = initdb
            .arg(secret)
            .arg("-D")
            .arg(self.files())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    }

    fn start_on_free_port(&mut self) {
        for _ in 0..5 {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            self.port = free.local_addr().unwrap().port();
            drop(free);
            if self.restart() {
                return;
            }
        }
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        assert!(log.is_empty(), "PostgreSQL does not start: {log}");
        unreachable!("PostgreSQL neither starts nor logs why");
    }

    fn files(&self) -> PathBuf {
        self.folder.join("files")
    }

    fn pg_ctl(&self, arguments: &[&str]) -> bool {
        let mut pg_ctl = as_postgres(&self.programs.join("pg_ctl"));
        pg_ctl.arg("-D").arg(self.files()).args(arguments);
        // A server that inherited a pipe would keep its reader waiting.
        pg_ctl.stdout(Stdio::null()).stderr(Stdio::null());
        pg_ctl.status().unwrap().success()
    }
}

/// Waits until the test process has ended, then cleans up. It ignores the terminal's Ctrl-C.
const CLEANER: &str = r#"trap '' INT TERM HUP; cat > /dev/null
if [ "$(id -u)" = 0 ]; then su postgres -s /bin/sh -c "'$1' -D '$2/files' stop -m immediate"
else "$1" -D "$2/files" stop -m immediate; fi
rm -rf "$2""#;

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A server program, run as the user `postgres` where the tests run as root: `initdb` and `postgres` refuse that.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    command.arg(program);
    command.current_dir("/");
    command
}

fn hand_to_postgres(folder: &Path) {
    if !is_root() {
        return;
    }
    let given = Command::new("chown").arg("postgres:").arg(folder).status();
    assert!(given.unwrap().success(), "the user `postgres` exists");
}

/// The folder of `initdb` and `pg_ctl`: the one the environment names, else Debian's newest, else one in the path.
fn programs() -> Option<PathBuf> {
    let named = std::env::var_os("PLANEBOT_POSTGRES_BIN").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    debian.sort();
    named
        .into_iter()
        .chain(debian.into_iter().rev())
        .chain(std::env::split_paths(&path))
        .find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists())
}
