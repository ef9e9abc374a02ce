//! A handler of WASI 0.2 that returns without having answered.

wit_bindgen::generate!({ world: "ringfence:guests/handler-p2", path: ["../../../wit/v0.1/host", "../wit"], generate_all });

use exports::wasi::http0_2_12::incoming_handler::Guest;
use wasi::http0_2_12::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
struct Handler;

impl Guest for Handler {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        if request.path_with_query().as_deref() == Some("/answer") {
            let response = OutgoingResponse::new(Fields::new());
            if let Ok(body) = response.body() {
                ResponseOutparam::set(out, Ok(response));
                let _ = OutgoingBody::finish(body, None);
            }
        }
    }
}

export!(Handler);
