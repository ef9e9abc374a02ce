//! The registry of the distribution, started for one test in a directory of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Name and password that the registry takes when it takes any.
pub(crate) const USER: (&str, &str) = ("somebody", "correct horse");
/// The same as `htpasswd -B` writes it.
const HTPASSWD: &str = "somebody:$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n";

/// A running registry; ends with the test.
pub(crate) struct Registry {
    process: Child,
    address: String,
    _directory: tempfile::TempDir,
}

impl Registry {
    /// Starts one; nothing where the program is not installed, which the list of skipped tests then says.
    pub(crate) fn start(test: &str, auth: bool) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let mut config = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:0\n",
            path("data")
        );
        if auth {
            std::fs::write(path("htpasswd"), HTPASSWD).unwrap();
            let file = path("htpasswd");
            let auth = ["auth:\n  htpasswd:\n    realm: test\n    path: ", &file, "\n"];
            config += &auth.concat();
        }
        std::fs::write(path("config.yml"), config).unwrap();
        let mut command = Command::new("docker-registry");
        command.args(["serve", &path("config.yml")]);
        let started = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut process = match started {
            Ok(process) => process,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                skipped(test);
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut seen = String::new();
        let address = loop {
            let before = seen.len();
            assert!(log.read_line(&mut seen).unwrap() > 0, "the registry ended:\n{seen}");
            let rest = seen[before..].split_once("listening on ").map(|(_, rest)| rest);
            if let Some(rest) = rest {
                break rest.split(['"', ' ', ',']).next().unwrap().trim().to_owned();
            }
        };
        // A full pipe would stop it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Some(Self { process, address, _directory: directory })
    }

    /// Returns a reference into it.
    pub(crate) fn at(&self, rest: &str) -> String {
        format!("{}/{rest}", self.address)
    }

    /// Reads something the way a program without any of our code would.
    pub(crate) async fn get(&self, path: &str, accept: &str) -> (String, Vec<u8>) {
        let mut stream = tokio::net::TcpStream::connect(&self.address).await.unwrap();
        let host = &self.address;
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: {accept}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        (head, answer[end + 4..].to_vec())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn skipped(test: &str) {
    let Some(list) = std::env::var_os("RINGFENCE_SKIP_LIST") else { return };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(list);
    writeln!(file.unwrap(), "{test}: skipped, because there is no `docker-registry`").unwrap();
}
