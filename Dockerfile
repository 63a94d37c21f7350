# The default target is the gateway, with nothing of the simulator in it:
#   docker build -t azure-image-gateway .
# The target `demo` is the gateway in front of a simulated Azure:
#   docker build --target demo -t azure-image-gateway-demo .

FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Install scripts stay off: the one that is allowed brings a Node of its own, and the image has one.
RUN npm ci --omit=dev --ignore-scripts

FROM packages AS all-packages
RUN npm ci --ignore-scripts

# Readable for the user `node`, however strict the permissions of the checkout are.
FROM node:24-slim AS sources
WORKDIR /app
COPY package.json ./
COPY config config
COPY src src
COPY simulator simulator
RUN chmod -R a+rX .

# The gateway, bundled, with nothing of the simulator in it.
FROM all-packages AS build
COPY build.ts ./
COPY scripts/bundle.ts scripts/bundle.ts
COPY src src
RUN npm run build && chmod -R a+rX dist

FROM node:24-slim AS runtime
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8866
EXPOSE 8866
# Jobs and images, apart from the root file system, which may be read-only. A new volume takes over owner and mode.
ENV DATA_DIR=/data
RUN mkdir -m 700 /data && chown node:node /data
VOLUME /data
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.PORT || 8866) + '/healthz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
USER node

FROM runtime AS demo
EXPOSE 8867
COPY --from=all-packages /app/node_modules node_modules
COPY --from=sources /app ./
CMD ["node", "--expose-gc", "--max-semi-space-size=8", "--max-old-space-size=1024", "src/main.ts", "demo"]

# Node handles SIGTERM as process 1 itself, so no init process stands before it.
FROM runtime AS gateway
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=sources /app/package.json ./
COPY --from=sources /app/config config
CMD ["node", "--expose-gc", "--max-semi-space-size=8", "--max-old-space-size=1024", "dist/main.js"]
