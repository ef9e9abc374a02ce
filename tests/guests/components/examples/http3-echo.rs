//! A good handler of WASI 0.3: answers with the method, path, headers and body it got.

wit_bindgen::generate!({ world: "ringfence:guests/handler-p3", path: ["../../../wit/v0.1/host", "../wit"], generate_all });

use exports::wasi::http0_3_0::handler::Guest;
use wasi::http0_3_0::types::{ErrorCode, Fields, Request, Response};

struct Handler;

impl Guest for Handler {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let mut text = format!(
            "{:?} {}\n",
            request.get_method(),
            request.get_path_with_query().unwrap_or_default()
        );
        for (name, value) in request.get_headers().copy_all() {
            text += &format!("{name}: {}\n", String::from_utf8_lossy(&value));
        }
        text.push('\n');
        let (mut to, contents) = wit_stream::new();
        let (trailers, no_trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(Fields::new(), Some(contents), no_trailers);
        wit_bindgen::spawn_local(async move {
            let _ = to.write_all(text.into_bytes()).await;
            let (done, end) = wit_future::new(|| Ok(()));
            let (mut from, _) = Request::consume_body(request, end);
            loop {
                let (result, piece) = from.read(Vec::with_capacity(64 * 1024)).await;
                let _ = to.write_all(piece).await;
                if !matches!(result, wit_bindgen::StreamResult::Complete(_)) {
                    break;
                }
            }
            drop(to);
            let _ = done.write(Ok(())).await;
            let _ = trailers.write(Ok(None)).await;
        });
        Ok(response)
    }
}

export!(Handler);
