//! Whether what was typed can be run, for clients that run a cell when Enter is pressed.

use ra_ap_rustc_lexer::{FrontmatterAllowed, LiteralKind, TokenKind, tokenize};
use serde_json::{Value, json};

/// The content of an `is_complete_reply`: `complete`; `incomplete` with the indentation that comes
/// next, where a bracket, a text or a comment is open or an operator wants more; `invalid` where a
/// bracket closes what is not open.
pub fn of(code: &str) -> Value {
    let mut open = vec![];
    let mut last = None;
    for token in tokenize(code, FrontmatterAllowed::No) {
        match token.kind {
            TokenKind::OpenParen => open.push(TokenKind::CloseParen),
            TokenKind::OpenBracket => open.push(TokenKind::CloseBracket),
            TokenKind::OpenBrace => open.push(TokenKind::CloseBrace),
            TokenKind::CloseParen | TokenKind::CloseBracket | TokenKind::CloseBrace => {
                let opened = open.pop();
                if opened != Some(token.kind) {
                    return json!({"status": "invalid"});
                }
            }
            TokenKind::BlockComment {
                terminated: false, ..
            } => return incomplete(open.len()),
            TokenKind::Literal { kind, .. } if !is_terminated(&kind) => {
                return incomplete(open.len());
            }
            TokenKind::Whitespace
            | TokenKind::LineComment { .. }
            | TokenKind::BlockComment { .. } => continue,
            _ => {}
        }
        last = Some(token.kind);
    }
    let wants_more = matches!(
        last,
        Some(
            TokenKind::Comma
                | TokenKind::Dot
                | TokenKind::Eq
                | TokenKind::Plus
                | TokenKind::Minus
                | TokenKind::Star
                | TokenKind::Slash
                | TokenKind::And
                | TokenKind::Or
                | TokenKind::Colon
        )
    );
    if !open.is_empty() || wants_more {
        incomplete(open.len())
    } else {
        json!({"status": "complete"})
    }
}

fn incomplete(depth: usize) -> Value {
    json!({"status": "incomplete", "indent": "    ".repeat(depth)})
}

fn is_terminated(kind: &LiteralKind) -> bool {
    match kind {
        LiteralKind::Char { terminated }
        | LiteralKind::Byte { terminated }
        | LiteralKind::Str { terminated }
        | LiteralKind::ByteStr { terminated }
        | LiteralKind::CStr { terminated } => *terminated,
        LiteralKind::RawStr { n_hashes }
        | LiteralKind::RawByteStr { n_hashes }
        | LiteralKind::RawCStr { n_hashes } => n_hashes.is_some(),
        LiteralKind::Int { .. } | LiteralKind::Float { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_incomplete() {
        let status = |code: &str| of(code)["status"].as_str().unwrap().to_owned();
        for code in [
            "",
            "1 + 2",
            "let a = (1, 2);",
            "'a'",
            "fn f<'a>() {}",
            ":dep isopath = { path = \"..\" }",
            "// {",
        ] {
            assert_eq!(status(code), "complete", "{code}");
        }
        for code in [
            "fn f() {",
            "vec![1,",
            "\"text",
            "r#\"raw\"",
            "/* /* */",
            "let a =",
            "a.b() +",
            "x.",
        ] {
            assert_eq!(status(code), "incomplete", "{code}");
        }
        for code in [")", "fn f() { ]"] {
            assert_eq!(status(code), "invalid", "{code}");
        }
        assert_eq!(of("if a {\n    f(")["indent"], "        ");
    }
}
