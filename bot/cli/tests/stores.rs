//! `planebot serve` on unusable stores: it names the problem and the remedy, exits with 1, and never listens.

#![expect(clippy::unwrap_used, reason = "tests")]

use support_postgres as cluster;

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use journal::Journal;

/// An address that nothing listens on.
fn free_address() -> String {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().to_string()
}

fn write_config(folder: &Path, listen: &str, store: &str) {
    let put = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    put("token", "t0ken");
    put("secret", "s3cret");
    put("key", "a:b:c");
    put(
        "planebot.toml",
        &format!(
            "[server]\nlisten = '{listen}'\n[github]\napi_url = 'http://127.0.0.1:1'\ntoken_file = 'token'\n\
             webhook_secret_file = 'secret'\n[store]\nurl = '{store}'\n[[site]]\nname = 'dc'\nrepository = 'example/network'\n\
             path = 'topology'\nmaas_url = 'http://127.0.0.1:1/MAAS'\nmaas_api_key_file = 'key'\n"
        ),
    );
}

fn start_service(mut command: Command, folder: &Path) -> Child {
    command
        .arg("--config")
        .arg(folder.join("planebot.toml"))
        // Everything is logged: a password must not be in it at any level.
        .args(["serve", "--log", "trace"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn planebot() -> Command {
    Command::new(env!("CARGO_BIN_EXE_planebot"))
}

/// Its files may not grow past 16 blocks of 512 or 1024 bytes, as on a full disk.
fn planebot_on_full_disk() -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$@\"", "sh"]);
    limited.arg(env!("CARGO_BIN_EXE_planebot"));
    limited
}

/// The log of a service that does not start. Until it exits, nobody can connect to its address.
fn startup_error(command: Command, store: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let listen = free_address();
    write_config(folder.path(), &listen, store);
    let mut child = start_service(command, folder.path());
    let status = loop {
        assert!(TcpStream::connect(&listen).is_err(), "it listens");
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::yield_now();
    };
    let mut log = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut log).unwrap();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(!log.contains(cluster::PASSWORD), "{log}");
    log
}

async fn new_store(folder: &Path) -> String {
    let url = format!("sqlite://{}", folder.join("journal.db").display());
    drop(Journal::open(&url).await.unwrap());
    url
}

async fn execute(url: &str, statement: &'static str) {
    use sqlx::Connection as _;
    sqlx::any::install_default_drivers();
    let mut raw = sqlx::AnyConnection::connect(url).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
}

/// A migration that only a newer version knows.
const NEWER: &str =
    "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
    SELECT 99, 'later', TRUE, checksum, 0 FROM _sqlx_migrations WHERE version = 1";

#[tokio::test]
async fn an_unusable_file_is_refused_before_anything_listens() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.txt");
    std::fs::write(&text, "this is not a database\n".repeat(99)).unwrap();
    let log = startup_error(planebot(), &format!("sqlite://{}", text.display()));
    assert!(log.contains("name another file"), "{log}");
    let log = startup_error(planebot(), "sqlite:///no/such/folder/j.db");
    assert!(log.contains("see that its folder exists"), "{log}");
    let url = new_store(folder.path()).await;
    execute(&url, NEWER).await;
    let log = startup_error(planebot(), &url);
    assert!(log.contains("use the newer one"), "{log}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_on_a_full_disk_and_one_that_may_only_be_read_are_startup_error() {
    let folder = tempfile::tempdir().unwrap();
    let full = format!("sqlite://{}", folder.path().join("full.db").display());
    let log = startup_error(planebot_on_full_disk(), &full);
    assert!(log.contains("room"), "{log}");
    // A store that was usable until the disk was full.
    let url = new_store(folder.path()).await;
    let log = startup_error(planebot_on_full_disk(), &url);
    assert!(log.contains("room"), "{log}");
    let store = folder.path().join("journal.db");
    let mut permissions = std::fs::metadata(&store).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&store, permissions).unwrap();
    // Nothing is read-only to root.
    let is_root =
        std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0;
    let command = if is_root {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-all", "--inh-caps=-all"]);
        command.arg(env!("CARGO_BIN_EXE_planebot"));
        command
    } else {
        planebot()
    };
    let log = startup_error(command, &url);
    assert!(
        log.contains("make the file and its folder writable"),
        "{log}"
    );
}

#[tokio::test]
async fn an_unusable_database_is_refused_before_anything_listens() {
    let Some(cluster) = cluster::shared() else {
        return;
    };
    for statement in [
        "CREATE ROLE reader LOGIN PASSWORD 'hunter2'",
        "CREATE DATABASE narrow ENCODING 'LATIN1' TEMPLATE template0",
    ] {
        cluster.execute("postgres", statement).await;
    }
    let log = startup_error(planebot(), &cluster.url("narrow"));
    assert!(log.contains("ENCODING 'UTF8'"), "{log}");
    let log = startup_error(planebot(), &cluster.url("nowhere"));
    assert!(log.contains("create the database first"), "{log}");
    // A store that was usable becomes read-only, then belongs to a user without rights, then to a newer version.
    let url = cluster.database().await;
    drop(Journal::open(&url).await.unwrap());
    let name = url.rsplit('/').next().unwrap();
    let read_only =
        |mode: &str| format!("ALTER DATABASE {name} SET default_transaction_read_only = {mode}");
    cluster.execute("postgres", &read_only("on")).await;
    let log = startup_error(planebot(), &url);
    assert!(log.contains("it may only be read"), "{log}");
    cluster.execute("postgres", &read_only("off")).await;
    let rights = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; GRANT CREATE ON SCHEMA public TO reader";
    cluster.execute(name, rights).await;
    let readers = url.replace("boss:", "reader:");
    let log = startup_error(planebot(), &readers);
    assert!(
        log.contains("permission denied") && log.contains("a database of its own"),
        "{log}"
    );
    execute(&url, NEWER).await;
    let log = startup_error(planebot(), &url);
    assert!(log.contains("use the newer one"), "{log}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_database_on_a_full_disk_is_refused_before_anything_listens() {
    // A cluster of its own, because it is stopped in between.
    let Some(cluster) = cluster::Cluster::start() else {
        return;
    };
    let url = cluster.database().await;
    drop(Journal::open(&url).await.unwrap());
    let name = url.rsplit('/').next().unwrap();
    cluster.restart_on_full_disk(name, "cursor").await;
    let log = startup_error(planebot(), &url);
    assert!(log.contains("make room on the database's disk"), "{log}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_and_nothing_listens_meanwhile() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let log = startup_error(planebot(), &format!("postgres://boss:hunter2@{address}/x"));
    assert!(log.contains("no answer in 5 s"), "{log}");
}
