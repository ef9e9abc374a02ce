//! Each step of a research run as a plugin has it: `step!` brings its trait and its types into scope.

use ringfence_sdk::ToolError;
use ringfence_sdk::research::{Citation, Document};

fn document(id: &str, text: &str) -> Document {
    let (id, text) = (id.to_owned(), text.to_owned());
    Document { id, url: None, title: None, published: None, trust: None, cluster: None, text }
}

mod plan {
    use super::ToolError;

    ringfence_sdk::step!(plan for Step);

    struct Step;

    impl Guest for Step {
        fn plan(task: Task) -> Result<Vec<Query>, ToolError> {
            Ok(vec![Query { text: task.question, reason: "it was asked".to_owned() }])
        }
    }

    #[test]
    fn a_plan_step_answers() -> Result<(), ToolError> {
        let question = "dams".to_owned();
        let task = Task { question, strategy: Some(Strategy::Focused), breadth: None };
        assert_eq!(Step::plan(task)?[0].text, "dams");
        Ok(())
    }
}

mod provider {
    use super::ToolError;

    ringfence_sdk::step!(provider for Step);

    struct Step;

    impl Guest for Step {
        fn search(_: String, _: u32) -> Result<Vec<Hit>, ToolError> {
            Ok(Vec::new())
        }

        fn retrieve(url: String, _: Option<Known>) -> Result<Option<Page>, ToolError> {
            let body = b"A dam.".to_vec();
            Ok(Some(Page { url, media_type: None, etag: None, modified: None, body }))
        }
    }

    #[test]
    fn a_provider_answers() -> Result<(), ToolError> {
        assert!(Step::search("dams".to_owned(), 5)?.is_empty());
        let page = Step::retrieve("mine:1".to_owned(), None)?;
        assert_eq!(page.map(|page| page.body), Some(b"A dam.".to_vec()));
        Ok(())
    }
}

mod remembering_provider {
    use super::ToolError;

    ringfence_sdk::step!(remembering-provider for Step);

    struct Step;

    impl provider::Guest for Step {
        fn search(_: String, _: u32) -> Result<Vec<provider::Hit>, ToolError> {
            Ok(Vec::new())
        }

        fn retrieve(
            url: String,
            _: Option<provider::Known>,
        ) -> Result<Option<provider::Page>, ToolError> {
            Err(ToolError::not_found(url))
        }
    }

    impl memory::Guest for Step {
        fn restore(_: Vec<u8>) {}

        fn keep() -> Option<Vec<u8>> {
            Some(vec![1])
        }
    }

    #[test]
    fn a_provider_keeps_what_it_learned() {
        use memory::Guest as _;
        use provider::Guest as _;
        Step::restore(Vec::new());
        assert_eq!(Step::keep(), Some(vec![1]));
        assert!(Step::search(String::new(), 1).is_ok_and(|hits| hits.is_empty()));
        assert!(Step::retrieve("x".to_owned(), None).is_err());
    }
}

mod extract {
    use super::ToolError;

    ringfence_sdk::step!(extract for Step);

    struct Step;

    impl Guest for Step {
        fn extract(page: Page) -> Result<Readable, ToolError> {
            let text = String::from_utf8_lossy(&page.body).into_owned();
            Ok(Readable {
                sha256: ringfence_sdk::research::sha256(&text),
                words: u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX),
                text,
                truncated: false,
                article: false,
                title: None,
                byline: None,
                published: None,
                language: None,
                canonical: None,
                charset: "utf-8".to_owned(),
            })
        }
    }

    #[test]
    fn an_extract_step_answers_with_the_hash_of_the_text() -> Result<(), ToolError> {
        let page = Page { body: b"abc".to_vec(), media_type: None, url: None };
        let hash = Step::extract(page)?.sha256;
        assert_eq!(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        Ok(())
    }
}

mod deduplicate {
    use super::{Document, ToolError};

    ringfence_sdk::step!(deduplicate for Step);

    struct Step;

    impl Guest for Step {
        fn deduplicate(documents: Vec<Document>) -> Result<Clusters, ToolError> {
            let alone = |one: Document| Cluster { representative: one.id, members: Vec::new() };
            let clusters = documents.into_iter().map(alone).collect();
            Ok(Clusters { clusters, hubs: Vec::new(), complete: true })
        }
    }

    #[test]
    fn a_deduplicate_step_answers() -> Result<(), ToolError> {
        let clusters = Step::deduplicate(vec![super::document("a", "A dam.")])?;
        assert_eq!(clusters.clusters[0].representative, "a");
        Ok(())
    }
}

mod bias {
    use super::ToolError;

    ringfence_sdk::step!(bias for Step);

    struct Step;

    impl Guest for Step {
        fn assess(task: Task) -> Result<Report, ToolError> {
            Ok(Report {
                addresses: u32::try_from(task.sources.len()).unwrap_or(u32::MAX),
                sources: 0,
                shares: Vec::new(),
                hhi: 0.0,
                effective_domains: 0.0,
                classes: vec![ClassCount { class: Class::Unknown, sources: 1 }],
                coverage: 0.0,
                low_ratio: 0.0,
                warnings: Vec::new(),
            })
        }
    }

    #[test]
    fn a_bias_step_answers() -> Result<(), ToolError> {
        let sources = vec![Source { url: "https://a.example".to_owned(), cluster: None }];
        let task = Task { sources, lists: None, aliases: None, today: None };
        assert_eq!(Step::assess(task)?.addresses, 1);
        Ok(())
    }
}

mod contradict {
    use super::{Document, ToolError};

    ringfence_sdk::step!(contradict for Step);

    struct Step;

    impl Guest for Step {
        fn contradict(_: Vec<Document>) -> Result<Found, ToolError> {
            Ok(Found { candidates: Vec::new(), truncated: false })
        }
    }

    #[test]
    fn a_contradict_step_answers() -> Result<(), ToolError> {
        assert!(!Step::contradict(Vec::new())?.truncated);
        Ok(())
    }
}

mod synthesise {
    use super::{Citation, Document, ToolError};

    ringfence_sdk::step!(synthesise for Step);

    struct Step;

    impl Guest for Step {
        fn synthesise(task: Task) -> Result<Report, ToolError> {
            let statement = |document: &Document| {
                let citations: Vec<Citation> = vec![document.cite(0..document.text.len())?];
                Some(Statement { text: document.text.clone(), citations, support: 1, score: 1.0 })
            };
            let statements = task.documents.iter().filter_map(statement).collect();
            Ok(Report { statements, truncated: false })
        }

        fn check(draft: Draft) -> Result<Checked, ToolError> {
            let sentences = u32::try_from(draft.claims.len()).unwrap_or(u32::MAX);
            Ok(Checked { passed: true, sentences, verbatim: sentences, findings: Vec::new() })
        }
    }

    #[test]
    fn what_a_synthesise_step_cites_resolves() -> Result<(), ToolError> {
        let documents = vec![super::document("a", "A dam holds water.")];
        let question = "What holds water?".to_owned();
        let task = Task { question, documents: documents.clone(), sentences: None };
        let made = Step::synthesise(task)?;
        let cited = made.statements[0].citations[0].resolve(&documents);
        assert_eq!(cited, Some("A dam holds water."));
        assert!(Step::check(Draft { claims: Vec::new(), documents })?.passed);
        Ok(())
    }
}
