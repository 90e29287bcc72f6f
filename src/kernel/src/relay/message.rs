//! Jupyter's messages, read without asking more of them than the relay needs.

use jupyter_protocol::messaging::{Header, JupyterMessage, JupyterMessageContent, UnknownMessage};
use jupyter_zmq_client::RawMessage;
use serde_json::{Value, json};

/// A message that came.
#[derive(Clone, Debug)]
pub struct Message {
    /// As the parent of answers: who sent it, and its header.
    envelope: JupyterMessage,
    /// Its content.
    pub content: Value,
    /// The id of the message that it answers, empty if there is none.
    pub parent: String,
}

impl Message {
    /// Reads the parts of a message whose signature is right.
    ///
    /// # Errors
    /// They are no message of Jupyter's protocol.
    pub fn read(raw: RawMessage) -> Result<Self, String> {
        let part = |index: usize| raw.jparts.get(index).map_or(&b"null"[..], |part| part);
        let header: Header =
            serde_json::from_slice(part(0)).map_err(|error| format!("header: {error}"))?;
        let parent: Value =
            serde_json::from_slice(part(1)).map_err(|error| format!("parent header: {error}"))?;
        let content: Value =
            serde_json::from_slice(part(3)).map_err(|error| format!("content: {error}"))?;
        let mut envelope = JupyterMessage::new(unknown(&header.msg_type, json!({})), None);
        envelope.header = header;
        envelope.zmq_identities = raw.zmq_identities;
        Ok(Self {
            envelope,
            content,
            parent: parent["msg_id"].as_str().unwrap_or_default().to_owned(),
        })
    }

    /// Its type, as `execute_request`.
    pub fn kind(&self) -> &str {
        &self.envelope.header.msg_type
    }

    /// A text of its content, empty if it is not there.
    pub fn text(&self, name: &str) -> &str {
        self.content[name].as_str().unwrap_or_default()
    }

    /// A yes or no of its content.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.content[name].as_bool().unwrap_or(default)
    }

    /// The answer to it, for the socket that it came from: `execute_request` → `execute_reply`.
    pub fn reply(&self, content: Value) -> JupyterMessage {
        let kind = format!("{}_reply", self.kind().trim_end_matches("_request"));
        JupyterMessage::new(unknown(&kind, content), Some(&self.envelope))
    }

    /// A message about it, for everybody.
    pub fn news(&self, kind: &str, content: Value) -> JupyterMessage {
        news(kind, content, Some(self))
    }
}

/// A message for everybody, about `parent` if there is one.
pub fn news(kind: &str, content: Value, parent: Option<&Message>) -> JupyterMessage {
    JupyterMessage::new(
        unknown(kind, content),
        parent.map(|parent| &parent.envelope),
    )
    // The first frame is the topic, by which nobody has to subscribe.
    .with_zmq_identities(vec![kind.as_bytes().to_vec().into()])
}

/// A message of ours to the engine.
pub fn request(kind: &str, content: Value) -> JupyterMessage {
    JupyterMessage::new(unknown(kind, content), None)
}

fn unknown(kind: &str, content: Value) -> JupyterMessageContent {
    JupyterMessageContent::UnknownMessage(UnknownMessage {
        msg_type: kind.to_owned(),
        content,
    })
}
