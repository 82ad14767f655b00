//! A real PostgreSQL of this test binary's own, made in a temporary folder and gone with the process, however it ends.
//!
//! Where none is installed, what needs it says so and passes, unless `PLANEBOT_REQUIRE_POSTGRES=1`. The journal's laws and
//! the storm over real processes use this one file.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::Connection as _;

/// A running server. Its superuser's password is [`PASSWORD`], asked for over TCP.
pub(crate) struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    databases: AtomicUsize,
    /// Takes the server down and the folder away once its input closes, which a killed process does too.
    _undertaker: Child,
}

pub(crate) const PASSWORD: &str = "hunter2";

/// The cluster that all laws share, each in a database of its own; none where no PostgreSQL is installed.
pub(crate) fn shared() -> Option<&'static Cluster> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    SHARED.get_or_init(Cluster::start).as_ref()
}

impl Cluster {
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            let required = std::env::var_os("PLANEBOT_REQUIRE_POSTGRES").is_some();
            assert!(!required, "PostgreSQL is required and was not found");
            let skipped = "no PostgreSQL was found: what is to be held on it is NOT held here\n";
            // Not captured by the test runner, so that it is seen.
            std::io::stderr().write_all(skipped.as_bytes()).unwrap();
            return None;
        };
        let folder = tempfile::tempdir().unwrap().keep();
        given_to_postgres(&folder);
        let mut undertaker = Command::new("sh");
        undertaker.args(["-c", UNDERTAKER, "sh"]);
        let undertaker = undertaker
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
            _undertaker: undertaker,
        };
        cluster.made();
        cluster.up_at_a_free_port();
        Some(cluster)
    }

    /// A new database, and where it is.
    pub(crate) async fn database(&self) -> String {
        let name = format!("law{}", self.databases.fetch_add(1, Ordering::SeqCst));
        self.tell("postgres", &format!("CREATE DATABASE {name}"))
            .await;
        self.url(&name)
    }

    /// Where a database is, for its superuser.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://boss:{PASSWORD}@{}/{database}", self.place())
    }

    pub(crate) fn place(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Says something to a database as its superuser.
    pub(crate) async fn tell(&self, database: &str, statement: &str) {
        sqlx::any::install_default_drivers();
        let mut raw = sqlx::AnyConnection::connect(&self.url(database))
            .await
            .unwrap();
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        sqlx::raw_sql(statement).execute(&mut raw).await.unwrap();
        raw.close().await.unwrap();
    }

    /// The power goes: no server process writes anything more.
    pub(crate) fn killed(&self) {
        assert!(self.pg_ctl(&["stop", "-m", "immediate"]), "it ran");
    }

    /// The server comes up where it was.
    pub(crate) fn up(&self) -> bool {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=300",
            self.port
        );
        let log = self.folder.join("log");
        self.pg_ctl(&["start", "-w", "-l", log.to_str().unwrap(), "-o", &options])
    }

    /// The server comes up with a table's file on a device that is always full, as on a full disk.
    pub(crate) async fn up_on_a_full_disk(&self, database: &str, table: &str) {
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
        // In good order: what would have to be replayed could not be.
        assert!(self.pg_ctl(&["stop", "-m", "fast"]), "it ran");
        let file = self.files().join(path);
        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/dev/full", &file).unwrap();
        assert!(self.up());
    }

    fn made(&self) {
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

    fn up_at_a_free_port(&mut self) {
        for _ in 0..5 {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            self.port = free.local_addr().unwrap().port();
            drop(free);
            if self.up() {
                return;
            }
        }
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        assert!(log.is_empty(), "PostgreSQL does not start: {log}");
        unreachable!("PostgreSQL neither starts nor says why");
    }

    fn files(&self) -> PathBuf {
        self.folder.join("files")
    }

    fn pg_ctl(&self, words: &[&str]) -> bool {
        let mut pg_ctl = as_postgres(&self.programs.join("pg_ctl"));
        pg_ctl.arg("-D").arg(self.files()).args(words);
        // A server that inherited an output would keep whoever reads it waiting.
        pg_ctl.stdout(Stdio::null()).stderr(Stdio::null());
        pg_ctl.status().unwrap().success()
    }
}

/// Reads until the test process is gone, then cleans up after it. It outlives the terminal's Ctrl-C.
const UNDERTAKER: &str = r#"trap '' INT TERM HUP; cat > /dev/null
if [ "$(id -u)" = 0 ]; then su postgres -s /bin/sh -c "'$1' -D '$2/files' stop -m immediate"
else "$1" -D "$2/files" stop -m immediate; fi
rm -rf "$2""#;

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A server program; `initdb` and `postgres` refuse to run as root.
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

fn given_to_postgres(folder: &Path) {
    if !is_root() {
        return;
    }
    let given = Command::new("chown").arg("postgres:").arg(folder).status();
    assert!(given.unwrap().success(), "there is a user `postgres`");
}

/// Where `initdb` and `pg_ctl` are: where the environment says, in the path, or where Debian keeps the newest.
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
