//! A handler of WASI 0.3 whose answer never ends, or ends after the number of MiB in the path.

wit_bindgen::generate!({ world: "ringfence:guests/handler-p3", path: ["../../../wit/v0.1/host", "../wit"], generate_all });

use exports::wasi::http0_3_0::handler::Guest;
use wasi::http0_3_0::types::{ErrorCode, Fields, Request, Response};

struct Handler;

impl Guest for Handler {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let mebibytes = path.trim_start_matches('/').parse().unwrap_or(u64::MAX);
        let (mut to, contents) = wit_stream::new();
        let (trailers, no_trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(Fields::new(), Some(contents), no_trailers);
        wit_bindgen::spawn_local(async move {
            for _ in 0..mebibytes {
                if !to.write_all(vec![b'x'; 1024 * 1024]).await.is_empty() {
                    return;
                }
            }
            drop(to);
            let _ = trailers.write(Ok(None)).await;
        });
        Ok(response)
    }
}

export!(Handler);
