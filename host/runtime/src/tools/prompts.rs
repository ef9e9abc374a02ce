//! Functions that give back a prompt, as prompts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ringfence_bundle::inspect::{Function, Gives};
use ringfence_mcp::{Argument, CallError, PromptCall, PromptInfo, PromptOutcome, tool_names};
use serde_json::{Map, Value};

use super::{OfferedPlugin, Toolbox, plugin_error, rich};
use crate::{CallResult, Prepared, Stdio};

/// What a prompt calls.
#[derive(Clone)]
pub(super) struct PromptTarget {
    plugin: String,
    prepared: Arc<Prepared>,
    function: String,
    short: String,
    answers: Option<String>,
    completion: Option<String>,
    /// The parameter behind each argument.
    params: HashMap<String, String>,
}

/// An argument as it is shown, and its parameter.
type Shown = (Argument, String);
/// A function that is a prompt.
type Found<'a> = (&'a OfferedPlugin, &'a Function, Vec<Shown>);

/// Returns the prompts of these plugins, and what each calls.
pub(super) fn prompts(
    plugins: &[OfferedPlugin],
) -> (Vec<PromptInfo>, HashMap<String, PromptTarget>) {
    let all: Vec<Found<'_>> = plugins.iter().flat_map(of_plugin).collect();
    let pairs: Vec<_> = all
        .iter()
        .map(|(plugin, function, _)| (plugin.name.as_str(), function.short.as_str()))
        .collect();
    let names = tool_names(&pairs);
    let (mut listed, mut targets) = (Vec::new(), HashMap::new());
    for ((plugin, function, arguments), name) in all.into_iter().zip(names) {
        let description = super::described(plugin, function);
        let params = arguments.iter().map(|(shown, param)| (shown.name.clone(), param.clone()));
        let target = PromptTarget {
            plugin: plugin.name.clone(),
            prepared: Arc::clone(&plugin.prepared),
            function: function.full.clone(),
            short: function.short.clone(),
            answers: function.answers.clone(),
            completion: plugin.completion.clone(),
            params: params.collect(),
        };
        targets.insert(name.clone(), target);
        listed.push(PromptInfo {
            name,
            title: Some(format!("{} {}", plugin.name, function.short)),
            description: Some(description),
            arguments: arguments.into_iter().map(|(shown, _)| shown).collect(),
        });
    }
    (listed, targets)
}

fn of_plugin(plugin: &OfferedPlugin) -> impl Iterator<Item = Found<'_>> {
    let prompts = plugin.functions.iter().filter(|function| function.gives == Gives::Prompt);
    prompts.filter_map(move |function| {
        let arguments = arguments(function);
        if arguments.is_none() {
            let (plugin, function) = (&plugin.name, &function.short);
            tracing::warn!(plugin, function, "no prompt: one of its parameters is no text");
        }
        Some((plugin, function, arguments?))
    })
}

/// Returns the arguments of a prompt, each with its parameter; nothing when one is no text.
fn arguments(function: &Function) -> Option<Vec<Shown>> {
    let answers = function.answers.as_deref();
    let params = function.params.iter().filter(|param| Some(param.name.as_str()) != answers);
    let shown: Vec<String> = params.clone().map(|param| camel(&param.name)).collect();
    let apart = shown.iter().collect::<HashSet<_>>().len() == shown.len();
    let each = params.zip(shown).map(|(param, shown)| {
        let required = match param.ty.as_str() {
            "string" => true,
            "option<string>" => false,
            _ => return None,
        };
        let name = if apart { shown } else { param.name.clone() };
        Some((Argument { name, description: None, required }, param.name.clone()))
    });
    each.collect()
}

/// Returns `fileName` for `file-name`.
fn camel(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut all, word| {
        let mut rest = word.chars();
        all.extend(rest.next().map(|c| c.to_ascii_uppercase()));
        all.extend(rest);
        all
    })
}

impl Toolbox {
    pub(super) async fn fill_in(&self, call: PromptCall) -> Result<PromptOutcome, CallError> {
        let target = self.offer().prompts.get(&call.prompt).cloned();
        let target = target.ok_or(CallError::NoPrompt { prompt: call.prompt })?;
        let named = |(name, value): (String, String)| {
            target.params.get(&name).map(|param| (param.clone(), Value::from(value)))
        };
        let mut input: Map<String, Value> = call.arguments.into_iter().filter_map(named).collect();
        if let (Some(param), Some(answers)) = (&target.answers, &call.answers) {
            input.insert(param.clone(), rich::answers(answers));
        }
        let input = Value::Object(input);
        let done = target.prepared.call(&target.function, &input, Stdio::captured()).await;
        match done.map_err(|error| CallError::of(&error))?.result {
            CallResult::Ok(value) => rich::prompt(&target.plugin, value),
            CallResult::Err(error) => Err(super::failed(plugin_error(&error))),
        }
    }

    pub(super) async fn go_on(
        &self,
        prompt: String,
        argument: String,
        begun: String,
    ) -> Result<Vec<String>, CallError> {
        let offer = self.offer();
        let known = offer.catalog.prompt(&prompt).is_some();
        let target = offer.prompts.get(&prompt).cloned().filter(|_| known);
        let target = target.ok_or(CallError::NoPrompt { prompt })?;
        let Some(interface) = &target.completion else { return Ok(Vec::new()) };
        let Some(param) = target.params.get(&argument) else { return Ok(Vec::new()) };
        let input = serde_json::json!({
            "prompt": target.short, "argument": param, "begun": begun,
        });
        let function = format!("{interface}#complete");
        let done = target.prepared.call(&function, &input, Stdio::captured()).await;
        match done.map_err(|error| CallError::of(&error))?.result {
            CallResult::Ok(value) => serde_json::from_value(value).map_err(|_| rich::unknown()),
            CallResult::Err(error) => Err(super::failed(plugin_error(&error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_spelled_as_clients_spell_them() {
        for (param, shown) in [("arg1", "arg1"), ("file-name", "fileName"), ("a-b-C", "aBC")] {
            assert_eq!(camel(param), shown);
        }
    }
}
