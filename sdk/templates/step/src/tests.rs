//! Tests of the step as plain Rust: no component is built.

use super::*;

fn document(id: &str, published: &str, text: &str) -> Document {
    let (id, text, published) = (id.to_owned(), text.to_owned(), Some(published.to_owned()));
    Document { id, url: None, title: None, published, trust: None, cluster: None, text }
}

fn rank(limit: Option<u32>) -> Result<Vec<String>, ToolError> {
    let documents = vec![
        document("old", "1998-05-01", "A dam holds water."),
        document("bread", "2024-01-01", "Bread is baked."),
        document("both", "1950-01-01", "Water seeps through every dam of earth."),
        document("new", "2024-06-30", "Some dams hold water back."),
    ];
    let task = Task { question: "How much water seeps?".to_owned(), documents, limit };
    Ok(MyRank::rank(task)?.into_iter().map(|ranked| ranked.id).collect())
}

#[test]
fn more_words_come_first_and_then_newer_documents() -> Result<(), ToolError> {
    assert_eq!(rank(None)?, ["both", "new", "old"]);
    assert_eq!(rank(Some(1))?, ["both"]);
    Ok(())
}
