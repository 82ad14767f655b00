//! `planebot serve` on stores that cannot be used: it says which and what to do, ends with 1, and nothing ever listened.

#![expect(clippy::unwrap_used, reason = "tests")]

use support_postgres as cluster;

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use journal::Journal;

/// An address where nobody listens.
fn free() -> String {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().to_string()
}

fn configured(folder: &Path, listen: &str, store: &str) {
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

fn serve(mut command: Command, folder: &Path) -> Child {
    command
        .arg("--config")
        .arg(folder.join("planebot.toml"))
        .arg("serve")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn planebot() -> Command {
    Command::new(env!("CARGO_BIN_EXE_planebot"))
}

/// Its files may not grow past 16 blocks of 512 or 1024 bytes, as on a full disk.
fn with_little_room() -> Command {
    let mut little = Command::new("sh");
    little.args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$@\"", "sh"]);
    little.arg(env!("CARGO_BIN_EXE_planebot"));
    little
}

/// What it says when it does not start. Until then nobody can connect to where it would listen.
fn refused(command: Command, store: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let listen = free();
    configured(folder.path(), &listen, store);
    let mut child = serve(command, folder.path());
    let ended = loop {
        assert!(TcpStream::connect(&listen).is_err(), "it listens");
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::yield_now();
    };
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert_eq!(ended.code(), Some(1), "{said}");
    assert!(!said.contains(cluster::PASSWORD), "{said}");
    said
}

async fn made(folder: &Path) -> String {
    let url = format!("sqlite://{}", folder.join("journal.db").display());
    drop(Journal::open(&url).await.unwrap());
    url
}

async fn raw(url: &str, statement: &'static str) {
    use sqlx::Connection as _;
    sqlx::any::install_default_drivers();
    let mut raw = sqlx::AnyConnection::connect(url).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
}

const NEWER: &str =
    "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
    SELECT 99, 'later', TRUE, checksum, 0 FROM _sqlx_migrations WHERE version = 1";

#[tokio::test]
async fn a_file_that_cannot_be_used_is_refused_before_anything_listens() {
    let folder = tempfile::tempdir().unwrap();
    let letter = folder.path().join("letter.txt");
    std::fs::write(&letter, "a letter to a friend\n".repeat(99)).unwrap();
    let said = refused(planebot(), &format!("sqlite://{}", letter.display()));
    assert!(said.contains("name another file"), "{said}");
    let said = refused(planebot(), "sqlite:///no/such/folder/j.db");
    assert!(said.contains("see that its folder exists"), "{said}");
    let url = made(folder.path()).await;
    raw(&url, NEWER).await;
    let said = refused(planebot(), &url);
    assert!(said.contains("use the newer one"), "{said}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_on_a_full_disk_and_one_that_may_only_be_read_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let full = format!("sqlite://{}", folder.path().join("full.db").display());
    let said = refused(with_little_room(), &full);
    assert!(said.contains("room"), "{said}");
    // One that was good, until the disk was full.
    let url = made(folder.path()).await;
    let said = refused(with_little_room(), &url);
    assert!(said.contains("room"), "{said}");
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
    let said = refused(command, &url);
    assert!(
        said.contains("make the file and its folder writable"),
        "{said}"
    );
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_refused_before_anything_listens() {
    let Some(cluster) = cluster::shared() else {
        return;
    };
    for statement in [
        "CREATE ROLE reader LOGIN PASSWORD 'hunter2'",
        "CREATE DATABASE narrow ENCODING 'LATIN1' TEMPLATE template0",
    ] {
        cluster.execute("postgres", statement).await;
    }
    let said = refused(planebot(), &cluster.url("narrow"));
    assert!(said.contains("ENCODING 'UTF8'"), "{said}");
    let said = refused(planebot(), &cluster.url("nowhere"));
    assert!(said.contains("make the database first"), "{said}");
    // One that is there and was good: now it may only be read, then only looked at, then it is a newer one's.
    let url = cluster.database().await;
    drop(Journal::open(&url).await.unwrap());
    let name = url.rsplit('/').next().unwrap();
    let shut =
        |mode: &str| format!("ALTER DATABASE {name} SET default_transaction_read_only = {mode}");
    cluster.execute("postgres", &shut("on")).await;
    let said = refused(planebot(), &url);
    assert!(said.contains("it may only be read"), "{said}");
    cluster.execute("postgres", &shut("off")).await;
    let rights = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; GRANT CREATE ON SCHEMA public TO reader";
    cluster.execute(name, rights).await;
    let readers = url.replace("boss:", "reader:");
    let said = refused(planebot(), &readers);
    assert!(
        said.contains("permission denied") && said.contains("a database of its own"),
        "{said}"
    );
    raw(&url, NEWER).await;
    let said = refused(planebot(), &url);
    assert!(said.contains("use the newer one"), "{said}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_database_on_a_full_disk_is_refused_before_anything_listens() {
    // One of its own: it is stopped in between.
    let Some(cluster) = cluster::Cluster::start() else {
        return;
    };
    let url = cluster.database().await;
    drop(Journal::open(&url).await.unwrap());
    let name = url.rsplit('/').next().unwrap();
    cluster.restart_on_full_disk(name, "cursor").await;
    let said = refused(planebot(), &url);
    assert!(said.contains("make room on the database's disk"), "{said}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_and_nothing_listens_meanwhile() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = silent.local_addr().unwrap();
    let said = refused(planebot(), &format!("postgres://boss:hunter2@{place}/x"));
    assert!(said.contains("no answer in 5 s"), "{said}");
}
