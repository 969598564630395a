/**
 * The OpenAPI document, made from the schemas that requests are checked with.
 */
import { z } from 'zod';
import { chatFields, completionFields } from './fields.js';

const json = (schema: object) => ({ 'application/json': { schema } });
const ok = (description: string, content?: object) => ({ 200: { description, ...(content ? { content } : {}) } });

const ERRORS = {
  400: { description: 'Something in the request is wrong; the body says what.' },
  401: { description: 'The key is missing or wrong.' },
  403: { description: 'Host or Origin is not allowed.' },
  404: { description: 'There is no such model.' },
  413: { description: 'The body is too large.' },
  415: { description: 'The body is not application/json.' },
  429: { description: 'Too many requests with this key.' },
  503: { description: 'Too many requests, or the server is shutting down; Retry-After says when to come back.' },
};

/** Samples and seeds of the earlier API. */
const earlierSampling = { temperature: { type: 'number', default: 0.5 }, seed: { type: 'integer', default: 42 } };
const generateBody = {
  type: 'object',
  properties: { num_samples: { type: 'integer', minimum: 0, default: 1 }, ...earlierSampling },
};
const message = {
  type: 'object',
  properties: { role: { enum: ['user', 'assistant'] }, content: { type: 'string' } },
  required: ['role', 'content'],
};
const chatBody = {
  type: 'object',
  properties: { messages: { type: 'array', items: message }, ...earlierSampling },
  required: ['messages'],
};

export function openApiDocument() {
  const fields = (schema: z.ZodType) => {
    const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
    return rest;
  };
  const get = (summary: string, type = 'application/json') => ({
    get: { summary, responses: ok(summary, { [type]: {} }) },
  });
  const post = (summary: string, schema: object) => ({
    post: {
      summary,
      requestBody: { required: true, content: json(schema) },
      responses: { ...ok(summary, { 'application/json': {}, 'text/event-stream': {} }), ...ERRORS },
    },
  });
  return {
    openapi: '3.1.0',
    info: {
      title: 'microgpt',
      version: '1',
      description: 'Small models over HTTP. The same request gets the same bytes.',
    },
    components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
    security: [{}, { key: [] }],
    paths: {
      '/v1/models': get('The models.'),
      '/v1/models/{name}': {
        parameters: [{ name: 'name', in: 'path', required: true, schema: { type: 'string' } }],
        get: { summary: 'One model.', responses: { ...ok('The model.', json({})), 404: ERRORS[404] } },
      },
      '/v1/completions': post('Text goes on.', fields(completionFields)),
      '/v1/chat/completions': post('The next message of the assistant.', fields(chatFields)),
      '/microgpt/v1/generate': post('Samples, as the earlier server gives them.', generateBody),
      '/microgpt/v1/chat': post('A reply, as the earlier server gives it.', chatBody),
      '/health': get('Whether the process lives.', 'text/plain'),
      '/ready': get('Whether requests are taken.', 'text/plain'),
      '/metrics': get('Counts and times, for Prometheus.', 'text/plain'),
      '/openapi.json': get('This document.'),
    },
  };
}
