//! Three real `planebot serve` processes, and what may happen to a process. It must not know why.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) const NAMES: [&str; 3] = ["a", "b", "c"];

/// The one whose disk is full from the beginning: no file of its own can grow, and its log goes to a full device.
pub(super) const FULL: usize = 2;

/// The processes, each at a port of its own, in one folder.
pub(super) struct Replicas {
    folder: PathBuf,
    ports: [u16; 3],
    lives: [Mutex<Option<Child>>; 3],
    http: reqwest::Client,
}

impl Drop for Replicas {
    fn drop(&mut self) {
        for which in 0..NAMES.len() {
            self.kill(which);
        }
    }
}

impl Replicas {
    pub(super) fn new(folder: &Path) -> Self {
        // All three at once, so that they differ.
        let free = [(); 3].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        Self {
            folder: folder.to_owned(),
            ports: free.map(|listener| listener.local_addr().unwrap().port()),
            lives: Default::default(),
            http: reqwest::Client::new(),
        }
    }

    /// Where one listens.
    pub(super) fn place(&self, which: usize) -> String {
        format!("127.0.0.1:{}", self.ports[which])
    }

    /// Where its configuration is to be.
    pub(super) fn config(&self, which: usize) -> PathBuf {
        self.folder.join(format!("{}.toml", NAMES[which]))
    }

    fn log(&self, which: usize) -> PathBuf {
        self.folder.join(format!("{}.log", NAMES[which]))
    }

    /// What it has logged, in all its lives.
    pub(super) fn logged(&self, which: usize) -> String {
        std::fs::read_to_string(self.log(which)).unwrap_or_default()
    }

    fn life(&self, which: usize) -> MutexGuard<'_, Option<Child>> {
        self.lives[which]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn start(&self, which: usize) {
        let program = env!("CARGO_BIN_EXE_replica");
        let (mut command, log) = if which == FULL {
            let mut command = Command::new("sh");
            command.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"]);
            command.arg(program);
            (command, OpenOptions::new().write(true).open("/dev/full"))
        } else {
            let log = OpenOptions::new()
                .create(true)
                .append(true)
                .open(self.log(which));
            (Command::new(program), log)
        };
        let child = command
            .arg("--config")
            .arg(self.config(which))
            .args(["serve", "--log", "info"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.unwrap())
            .spawn()
            .unwrap();
        let before = self.life(which).replace(child);
        assert!(before.is_none(), "`{}` was running", NAMES[which]);
    }

    /// The process is gone at once, whatever it was at.
    pub(super) fn kill(&self, which: usize) {
        if let Some(mut child) = self.life(which).take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// `STOP`, `CONT` or `TERM`.
    pub(super) fn signal(&self, which: usize, word: &str) {
        let life = self.life(which);
        let process = life.as_ref().unwrap().id().to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill -\"$1\" \"$2\"", "sh", word, &process])
            .status();
        assert!(sent.unwrap().success(), "{word} to `{}`", NAMES[which]);
    }

    /// How it ended by itself, if it did.
    pub(super) fn ended(&self, which: usize) -> Option<ExitStatus> {
        let mut life = self.life(which);
        let ended = life.as_mut()?.try_wait().unwrap();
        if ended.is_some() {
            *life = None;
        }
        ended
    }

    /// Whether it says that it is ready.
    pub(super) async fn is_ready(&self, which: usize) -> bool {
        let url = format!("http://{}/readyz", self.place(which));
        let asked = self
            .http
            .get(url)
            .timeout(std::time::Duration::from_secs(8));
        let answer = asked.send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }
}
