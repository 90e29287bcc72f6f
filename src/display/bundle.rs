//! One content in several forms.

use serde_json::{Map, Value};

/// The form that every program can show.
pub(super) const PLAIN: &str = "text/plain";

/// A content that can be shown in a notebook.
pub trait Show {
    /// The content in all its forms.
    fn bundle(&self) -> Bundle;
}

/// A content in several forms, by their MIME types.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bundle {
    /// The forms: MIME type and content, the richest first.
    pub data: Vec<(String, String)>,
    /// The metadata of the forms for Jupyter, by MIME type; empty as a rule.
    pub metadata: Map<String, Value>,
}

impl Bundle {
    /// Makes a content from its forms; one should be `text/plain`, which every program can show.
    pub fn new<'a>(data: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = |(mime, content): (&str, &str)| (mime.to_owned(), content.to_owned());
        Self {
            data: data.into_iter().map(owned).collect(),
            metadata: Map::new(),
        }
    }

    /// Makes a content from text alone.
    pub fn text(text: &str) -> Self {
        Self::new([(PLAIN, text)])
    }

    /// The form of a MIME type, if the content has it.
    pub fn get(&self, mime: &str) -> Option<&str> {
        self.data
            .iter()
            .find(|(own, _)| own == mime)
            .map(|(_, content)| content.as_str())
    }
}

impl Show for str {
    fn bundle(&self) -> Bundle {
        Bundle::text(self)
    }
}

impl Show for String {
    fn bundle(&self) -> Bundle {
        Bundle::text(self)
    }
}

impl<T: Show + ?Sized> Show for &T {
    fn bundle(&self) -> Bundle {
        (**self).bundle()
    }
}
