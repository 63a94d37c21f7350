// The SDKs read addresses, keys and switches from the environment. Here they get only what a test gives them.

const switches = /^(OPENAI|AZURE|LANGCHAIN|LANGSMITH|AI_SDK)_|_PROXY$/i;
for (const name of Object.keys(process.env)) {
  if (switches.test(name)) delete process.env[name];
}

// The AI SDK prints its warnings (`aspectRatio` is not supported, say) unless it is told not to.
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false });
