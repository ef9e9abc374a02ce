//! Finds which documents are independent of each other. The rules are in `research_quality::neardup`.

#![deny(unsafe_code)]

use research_quality::bias::Address;
use research_quality::document::check_ids;
use research_quality::neardup::{self, Comparison, Completeness, Fingerprint};
use ringfence_sdk::ToolError;

ringfence_sdk::plugin!("ringfence:step-deduplicate/deduplicate" for Deduplicate, generate_all);

use exports::ringfence::research::deduplicate::{Cluster, Clusters, Guest, Member, Verdict};
use ringfence::research::types::Document;

/// The component.
struct Deduplicate;

impl Guest for Deduplicate {
    fn deduplicate(documents: Vec<Document>) -> Result<Clusters, ToolError> {
        let invalid = |error: String| ToolError::InvalidInput(error);
        check_ids(documents.iter().map(|document| document.id.as_str()))
            .map_err(|error| invalid(error.to_string()))?;
        let print = |document: &Document| {
            let print = Fingerprint::of(&document.text);
            print.map_err(|error| invalid(format!("document `{}`: {error}", document.id)))
        };
        let texts = documents.iter().map(print).collect::<Result<Vec<_>, _>>()?;
        let known: Vec<neardup::Document> = documents.iter().map(known).collect();
        let found = neardup::cluster(&texts, &known).map_err(|error| invalid(error.to_string()))?;
        let id = |place: usize| documents.get(place).map(|document| document.id.clone());
        let cluster = |cluster: neardup::Cluster| {
            let members = cluster.members.into_iter();
            Some(Cluster {
                representative: id(cluster.representative)?,
                members: members
                    .filter_map(|(place, with)| Some(member(id(place)?, with)))
                    .collect(),
            })
        };
        Ok(Clusters {
            clusters: found.clusters.into_iter().filter_map(cluster).collect(),
            hubs: found.hubs.into_iter().filter_map(id).collect(),
            complete: found.completeness == Completeness::Complete,
        })
    }
}

/// Returns what decides which document stands for a cluster.
fn known(document: &Document) -> neardup::Document {
    let address = document.url.as_deref().and_then(Address::parse);
    neardup::Document {
        host: address.map(|address| address.host().to_owned()),
        trust: document.trust,
        published: document.published.clone(),
    }
}

fn member(id: String, with: Comparison) -> Member {
    let verdict = match with.verdict {
        neardup::Verdict::Exact => Verdict::Exact,
        neardup::Verdict::Duplicate => Verdict::Duplicate,
        // A member is related to what stands for its cluster.
        neardup::Verdict::Derivative | neardup::Verdict::Distinct => Verdict::Derivative,
    };
    let Comparison { containment, jaccard, aligned, .. } = with;
    Member { id, verdict, containment, jaccard, aligned }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{Deduplicate, Document, Guest as _, ToolError, Verdict};

    fn document(id: &str, url: &str, text: &str) -> Document {
        let (id, url, text) = (id.to_owned(), Some(url.to_owned()), text.to_owned());
        Document { id, url, title: None, published: None, trust: None, cluster: None, text }
    }

    fn words(from: usize, to: usize) -> String {
        (from..to).map(|n| format!("word{n} ")).collect::<Vec<_>>().concat()
    }

    #[test]
    fn copies_stand_behind_the_longest_of_them() {
        let documents = vec![
            document("short", "https://a.example/1", &words(0, 60)),
            document("long", "https://b.example/1", &words(0, 80)),
            document("copy", "https://c.example/1", &words(0, 80).to_uppercase()),
            document("other", "https://d.example/1", &words(500, 580)),
        ];
        let found = Deduplicate::deduplicate(documents).unwrap();
        let shape: Vec<_> = found
            .clusters
            .iter()
            .map(|c| {
                (
                    c.representative.as_str(),
                    c.members.iter().map(|m| (m.id.as_str(), m.verdict)).collect(),
                )
            })
            .collect();
        let members = vec![("short", Verdict::Duplicate), ("copy", Verdict::Exact)];
        assert_eq!(shape, [("long", members), ("other", vec![])]);
        assert!(found.complete && found.hubs.is_empty());
    }

    #[test]
    fn pages_of_one_host_need_to_share_more() {
        let page = |host: &str, id: &str, from: usize| {
            document(
                id,
                &format!("https://{host}/{id}"),
                &format!("{}{}", words(0, 62), words(from, from + 40)),
            )
        };
        let count = |documents| Deduplicate::deduplicate(documents).unwrap().clusters.len();
        assert_eq!(count(vec![page("a.example", "x", 900), page("a.example", "y", 700)]), 2);
        assert_eq!(count(vec![page("a.example", "x", 900), page("b.example", "y", 700)]), 1);
    }

    #[test]
    fn two_documents_of_one_name_are_refused() {
        let twice = vec![document("a", "", "x"), document("a", "", "y")];
        let error = Deduplicate::deduplicate(twice).unwrap_err();
        assert!(
            matches!(error, ToolError::InvalidInput(text) if text.contains("documents 1 and 2"))
        );
    }
}
