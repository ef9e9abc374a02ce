//! What an answer that nobody got costs: a model that may have written has spent what it was given.

use serde_json::Value;

use super::*;

/// Returns how much of `tokens` is left after a call that gets these replies, each asked for 100.
async fn left(replies: Vec<Reply>, tokens: u64) -> (Result<String, Error>, u32, Vec<Value>) {
    let server = Server::start(replies).await;
    let config = ModelConfig { retries: 2, ..config(&server) };
    let all = set(config, OwnBudget::new(9, tokens, Duration::from_mins(1)));
    let answer = all.ctx.chat(&hello()).await.map(|answer| format!("{:?}", answer.parts));
    let requests = server.requests();
    let asked = requests.iter().map(|request| {
        let body = request.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str::<Value>(body).unwrap()["max_tokens"].clone()
    });
    (answer, all.budget.take(u32::MAX).unwrap_or(0), asked.collect())
}

fn cut() -> Reply {
    events(&[r#"{"choices":[{"delta":{"content":"rea"}}]}"#])
}

#[tokio::test]
async fn what_an_answer_that_was_lost_was_given_stays_spent() {
    let ok = || json_reply(&said("ready"));
    let (answer, rest, asked) = left(vec![cut(), ok()], 1_000).await;
    assert!(answer.is_ok());
    assert_eq!((rest, asked), (897, vec![json!(100); 2]), "100 are gone, and 3 were written");
    let none = || Reply::Whole(200, "", "{}".to_owned());
    for (replies, spent) in [
        (vec![cut()], 300),
        (vec![none()], 100),
        (vec![json_reply(&said(&format!("the key is {KEY}")))], 100),
        (vec![Reply::Whole(504, "", "{}".to_owned())], 300),
        // Nothing was written: the server said so, or was never asked.
        (vec![Reply::Whole(503, "", "{}".to_owned())], 0),
        (vec![Reply::Whole(400, "", "{}".to_owned())], 0),
        (vec![Reply::Whole(429, "retry-after: 90\r\n", "{}".to_owned())], 0),
    ] {
        let (answer, rest, _) = left(replies, 1_000).await;
        assert_eq!((answer.is_err(), 1_000 - rest), (true, spent), "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_again_and_again_costs_no_more_than_there_is() {
    let (answer, rest, asked) = left(vec![cut()], 150).await;
    assert_eq!(answer, Err(Error::Provider("it stopped in the middle of its answer".to_owned())));
    assert_eq!((rest, asked), (0, vec![json!(100), json!(50)]), "no third try without a budget");
    // Each try is a call as well: with one call there is one.
    let server = Server::start(vec![cut()]).await;
    let all = set(config(&server), OwnBudget::new(1, 1_000, Duration::from_mins(1)));
    assert!(all.ctx.chat(&hello()).await.is_err());
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_costs_nothing() {
    let config = ModelConfig { retries: 0, ..ModelConfig::new("http://127.0.0.1:1/v1", "small") };
    let all = set(config, OwnBudget::new(9, 1_000, Duration::from_mins(1)));
    assert!(all.ctx.chat(&hello()).await.is_err());
    assert_eq!(all.budget.take(u32::MAX), Ok(1_000));
}
