//! A handler of WASI 0.2 whose answer never ends, or ends after the number of MiB in the path.

wit_bindgen::generate!({ world: "ringfence:guests/handler-p2", path: ["../../../wit/v0.1/host", "../wit"], generate_all });

use exports::wasi::http0_2_12::incoming_handler::Guest;
use wasi::http0_2_12::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
struct Handler;

impl Guest for Handler {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let pieces = path
            .trim_start_matches('/')
            .parse::<u64>()
            .map_or(u64::MAX, |mebibytes| mebibytes * 256);
        let response = OutgoingResponse::new(Fields::new());
        let Ok(body) = response.body() else { return };
        ResponseOutparam::set(out, Ok(response));
        if let Ok(stream) = body.write() {
            for _ in 0..pieces {
                if stream.blocking_write_and_flush(&[b'x'; 4096]).is_err() {
                    return;
                }
            }
        }
        let _ = OutgoingBody::finish(body, None);
    }
}

export!(Handler);
