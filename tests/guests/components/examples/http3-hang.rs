//! A handler of WASI 0.3 that never answers; with `after-head` in the path it stops in the middle of the body.

wit_bindgen::generate!({ world: "ringfence:guests/handler-p3", path: ["../../../wit/v0.1/host", "../wit"], generate_all });

use exports::wasi::http0_3_0::handler::Guest;
use wasi::clocks0_3_0::monotonic_clock::wait_for;
use wasi::http0_3_0::types::{ErrorCode, Fields, Request, Response};

struct Handler;

impl Guest for Handler {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        if !path.contains("after-head") {
            wait_for(3_600_000_000_000).await;
        }
        let (mut to, contents) = wit_stream::new();
        let (_trailers, no_trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(Fields::new(), Some(contents), no_trailers);
        wit_bindgen::spawn_local(async move {
            let _ = to.write_all(b"the beginning".to_vec()).await;
            wait_for(3_600_000_000_000).await;
        });
        Ok(response)
    }
}

export!(Handler);
