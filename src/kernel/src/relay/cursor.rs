//! Where the cursor is: Jupyter counts characters (code points), evcxr what a reader takes for
//! characters (graphemes).

use serde_json::{Value, json};
use unicode_segmentation::UnicodeSegmentation;

/// The content of a `complete_request` or `inspect_request` for evcxr. It explains what ends at the
/// cursor, so for an explanation the cursor goes to the end of the word that it is in.
pub fn for_evcxr(content: &Value, is_inspection: bool) -> Value {
    let code = content["code"].as_str().unwrap_or_default();
    let mut position = content["cursor_pos"]
        .as_u64()
        .map_or(code.len(), |position| position as usize);
    if is_inspection {
        position += code
            .chars()
            .skip(position)
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .count();
    }
    let before: String = code.chars().take(position).collect();
    let mut content = content.clone();
    content["cursor_pos"] = json!(before.graphemes(true).count());
    content
}

/// The content of evcxr's `complete_reply` for Jupyter.
pub fn for_jupyter(mut reply: Value, code: &str) -> Value {
    let characters = |graphemes: &Value| {
        let graphemes = graphemes.as_u64().unwrap_or_default() as usize;
        json!(
            code.graphemes(true)
                .take(graphemes)
                .map(|grapheme| grapheme.chars().count())
                .sum::<usize>()
        )
    };
    for name in ["cursor_start", "cursor_end"] {
        reply[name] = characters(&reply[name]);
    }
    for completion in reply["metadata"]["_jupyter_types_experimental"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        for name in ["start", "end"] {
            completion[name] = characters(&completion[name]);
        }
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_and_graphemes() {
        // Two characters that are one for a reader.
        let code = "let e\u{301} = Vec::ne";
        let request = for_evcxr(
            &json!({"code": code, "cursor_pos": code.chars().count()}),
            false,
        );
        assert_eq!(request["cursor_pos"], 15);
        let reply = json!({"cursor_start": 13, "cursor_end": 15, "metadata": {"_jupyter_types_experimental": [{"start": 13, "end": 15}]}});
        let reply = for_jupyter(reply, code);
        assert_eq!(
            (&reply["cursor_start"], &reply["cursor_end"]),
            (&json!(14), &json!(16))
        );
        assert_eq!(
            reply["metadata"]["_jupyter_types_experimental"][0]["start"],
            14
        );
    }

    #[test]
    fn an_explanation_is_of_the_whole_word() {
        let at = |position: usize| {
            for_evcxr(&json!({"code": "Vec::new()", "cursor_pos": position}), true)["cursor_pos"]
                .clone()
        };
        assert_eq!(
            [at(1), at(5), at(6), at(8), at(9)],
            [3, 8, 8, 8, 9].map(Value::from)
        );
    }
}
