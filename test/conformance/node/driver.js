'use strict';

// Drives the client of @alicloud/alikafka20190916 for the tests: reads one
// call a line from standard input, {"action", "params"}, and answers with one
// line, {"body"}: what the typed answer holds, by the names on the wire, or
// {"error"}. The first line that it writes describes the client.
//
// usage: node driver.js HOST:PORT, with the key in the environment.

const readline = require('readline');
const sdk = require('@alicloud/alikafka20190916');
const { $OpenApiUtil } = require('@alicloud/openapi-core');
const { RuntimeOptions } = require('@darabonba/typescript');

const Client = sdk.default;

// actions maps the name of an action on the wire to that of its method.
const actions = {};
for (const name of Object.getOwnPropertyNames(Client.prototype)) {
  if (name.endsWith('WithOptions')) {
    const method = name.slice(0, -'WithOptions'.length);
    actions[method[0].toUpperCase() + method.slice(1)] = name;
  }
}

const isModel = (type) => typeof type === 'function' && typeof type.names === 'function';

// describe adds the paths of the fields of a type.
function describe(type, path, into) {
  if (isModel(type)) {
    const types = type.types();
    for (const [property, wire] of Object.entries(type.names())) {
      describe(types[property], path === '' ? wire : `${path}.${wire}`, into);
    }
  } else if (type && type.type === 'array') {
    describe(type.itemType, `${path}[]`, into);
  } else if (type && type.type === 'map' || type === 'any') {
    into.push(`${path}.*`);
  } else {
    into.push(path);
  }
}

// held returns what a typed value holds, by the names on the wire. A value of
// another type than the SDK declares is told as a difference.
function held(type, value, path) {
  if (value === undefined || value === null) {
    return undefined;
  }
  if (isModel(type)) {
    const out = {};
    const types = type.types();
    for (const [property, wire] of Object.entries(type.names())) {
      out[wire] = held(types[property], value[property], path === '' ? wire : `${path}.${wire}`);
    }
    return out;
  }
  if (type && type.type === 'array') {
    if (!Array.isArray(value)) {
      return `not a list but ${typeof value}`;
    }
    return value.map((element) => held(type.itemType, element, `${path}[]`));
  }
  if (typeof type === 'string' && ['string', 'number', 'boolean'].includes(type) && typeof value !== type) {
    return `not a ${type} but the ${typeof value} ${value}`;
  }
  return value;
}

// build makes a typed value from parameters.
function build(type, value) {
  if (isModel(type)) {
    const types = type.types();
    const out = {};
    const names = Object.entries(type.names());
    for (const [wire, member] of Object.entries(value)) {
      const found = names.find(([, name]) => name === wire);
      if (!found) {
        throw new Error(`${type.name} of the SDK has no ${wire}`);
      }
      out[found[0]] = build(types[found[0]], member);
    }
    return new type(out);
  }
  if (type && type.type === 'array') {
    return value.map((element) => build(type.itemType, element));
  }
  switch (type) {
    case 'number':
      return Number(value);
    case 'boolean':
      return value === 'true';
    default:
      return value;
  }
}

function description() {
  const out = {};
  for (const action of Object.keys(actions)) {
    const paths = [];
    describe(sdk[`${action}ResponseBody`], '', paths);
    const request = sdk[`${action}Request`];
    out[action] = { fields: paths, params: request ? Object.values(request.names()) : [] };
  }
  return out;
}

async function call(client, { action, params }) {
  const request = build(sdk[`${action}Request`], params);
  const answer = await client[actions[action]](request, new RuntimeOptions({ autoretry: false }));
  return held(sdk[`${action}ResponseBody`], answer.body, '');
}

async function main() {
  const client = new Client(new $OpenApiUtil.Config({
    accessKeyId: process.env.ALIBABA_CLOUD_ACCESS_KEY_ID,
    accessKeySecret: process.env.ALIBABA_CLOUD_ACCESS_KEY_SECRET,
    securityToken: process.env.ALIBABA_CLOUD_SECURITY_TOKEN || undefined,
    endpoint: process.argv[2],
    protocol: 'HTTP',
  }));
  const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
  write(description());
  for await (const line of readline.createInterface({ input: process.stdin })) {
    try {
      write({ body: await call(client, JSON.parse(line)) });
    } catch (err) {
      write({ error: { code: err.code || '', status: err.statusCode || 0, message: String(err.message || err) } });
    }
  }
}

main();
