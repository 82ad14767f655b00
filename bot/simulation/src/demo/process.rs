//! The service as a child process that can be killed at one of its requests to MAAS. It must not know what the request is
//! for.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;

use lab::maas::HttpFault;
use lab::wire::LabRequest;

pub(super) struct ServiceProcess {
    program: PathBuf,
    folder: PathBuf,
    pub(super) port: u16,
    child: Mutex<Option<Child>>,
    deletes: AtomicUsize,
    /// The number of the delete at which it is killed, counted from 1; 0 for none.
    kill_at: AtomicUsize,
    killed: AtomicBool,
}

impl ServiceProcess {
    /// A process that is not running yet. `folder` holds `planebot.toml` and takes the log.
    pub(super) fn new(program: &Path, folder: &Path, port: u16) -> Self {
        Self {
            program: program.to_owned(),
            folder: folder.to_owned(),
            port,
            child: Mutex::default(),
            deletes: AtomicUsize::default(),
            kill_at: AtomicUsize::default(),
            killed: AtomicBool::default(),
        }
    }

    pub(super) fn spawn(&self) -> anyhow::Result<()> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("service.log"))?;
        let child = Command::new(&self.program)
            .arg("--config")
            .arg(self.folder.join("planebot.toml"))
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting `{}`", self.program.display()))?;
        *self.child() = Some(child);
        Ok(())
    }

    pub(super) async fn is_ready(&self, http: &reqwest::Client) -> bool {
        let url = format!("http://127.0.0.1:{}/readyz", self.port);
        let response = http.get(&url).send().await;
        response.is_ok_and(|response| response.status().is_success())
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("service.log")).unwrap_or_default()
    }

    /// Kills the process at this delete, counted from 1 since the environment was opened.
    pub(super) fn kill_at_delete(&self, count: usize) {
        self.kill_at.store(count, Ordering::SeqCst);
    }

    /// Whether it was killed at a delete.
    pub(super) fn is_killed(&self) -> bool {
        self.killed.load(Ordering::SeqCst)
    }

    /// At the chosen delete the process is killed first; then MAAS executes the request, and nobody reads the response.
    pub(super) fn on_maas_request(&self, request: &LabRequest) -> HttpFault {
        if request.method != "DELETE" {
            return HttpFault::None;
        }
        let count = self.deletes.fetch_add(1, Ordering::SeqCst) + 1;
        if count != self.kill_at.load(Ordering::SeqCst) {
            return HttpFault::None;
        }
        self.kill();
        self.killed.store(true, Ordering::SeqCst);
        HttpFault::LoseAnswer
    }

    /// Kills the process with SIGKILL and waits until it is gone.
    pub(super) fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            let ended = child.kill().and_then(|()| child.wait());
            drop(ended);
        }
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
