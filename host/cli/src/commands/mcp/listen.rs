//! `mcp serve --listen`: where is listened, who is let in, and what the operator is told.

use std::net::SocketAddr;
use std::path::Path;

use ringfence::mcp::server::http::{HttpOptions, PATH, Token, TokenError};
use ringfence::mcp::{McpError, Server};
use serde_json::json;
use tokio::net::TcpListener;

use crate::args::McpServe;
use crate::error::CliError;
use crate::places;
use crate::print::Printer;

/// The most bytes of a file with a token.
const TOKEN_BYTES: u64 = 4096;

/// Where is listened, and who is let in.
pub(super) struct Web {
    at: SocketAddr,
    options: HttpOptions,
    /// A token that was made here, to be shown once.
    made: Option<String>,
}

/// Checks what was said about HTTP.
pub(super) fn checked(args: &McpServe, at: SocketAddr) -> Result<Web, CliError> {
    if !at.ip().is_loopback() && !args.allow_remote {
        return Err(CliError::Usage(format!(
            "`--listen={at}` would let other machines in; listen at 127.0.0.1, or say `--allow-remote` with `--token-file` and put something that encrypts before it"
        )));
    }
    let mut hosts = args.host_name.clone();
    if let Some(bad) = hosts.iter().find(|name| name.contains(['/', ' ', '@']) || name.is_empty()) {
        let text = format!("`--host-name {bad}` is no name, such as `tools.example.net`");
        return Err(CliError::Usage(text));
    }
    if at.ip().is_unspecified() && hosts.is_empty() {
        return Err(CliError::Usage(format!(
            "`--listen={at}` needs `--host-name NAME` for each name clients use: requests for others are refused"
        )));
    }
    if !at.ip().is_unspecified() {
        let ip = at.ip().to_string();
        hosts.push(if at.is_ipv6() { format!("[{ip}]") } else { ip });
    }
    let refused = |error: TokenError| CliError::Usage(error.to_string());
    let (token, made) = if let Some(path) = &args.token_file {
        (Token::new(&read(path)?).map_err(|error| in_file(path, error))?, None)
    } else {
        let (token, text) = Token::generate().map_err(refused)?;
        (token, Some(text))
    };
    Ok(Web { at, options: HttpOptions { token, hosts }, made })
}

fn in_file(path: &Path, error: TokenError) -> CliError {
    CliError::Usage(format!("the token file `{}` holds no token: {error}", path.display()))
}

/// Reads a token that nobody else can read.
fn read(path: &Path) -> Result<String, CliError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let fail = |source| CliError::File {
            what: "token file",
            path: path.display().to_string(),
            source,
        };
        let mode = std::fs::metadata(path).map_err(fail)?.permissions().mode();
        if mode & 0o077 != 0 {
            let path = path.display();
            return Err(CliError::Usage(format!(
                "others can read the token file `{path}`; make it yours alone with `chmod 600 {path}`"
            )));
        }
    }
    let bytes = places::read(path, "token file", TOKEN_BYTES)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| CliError::Usage(format!("the token file `{}` is not text", path.display())))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Serves until the process is told to end.
pub(super) async fn listen(
    server: &Server,
    web: Web,
    tools: usize,
    printer: &Printer,
) -> Result<(), CliError> {
    let fail = |source| McpError::Address { address: web.at.to_string(), source };
    let listener = TcpListener::bind(web.at).await.map_err(fail)?;
    let url = format!("http://{}{PATH}", listener.local_addr().map_err(fail)?);
    if printer.is_json() {
        let mut said = json!({ "url": url, "tools": tools });
        if let Some(token) = &web.made {
            said["token"] = json!(token);
        }
        printer.value(&said);
    } else {
        printer.line(&format!("serving {tools} tools over MCP at {url}  (Ctrl-C ends it)"));
        if let Some(token) = &web.made {
            printer.line(&format!(
                "every request has to bear this token, which is not shown again: {token}"
            ));
        }
    }
    server.http(listener, web.options, super::super::serve::stop_signal()).await;
    Ok(())
}
