import { type Rig, startRig } from '../rig.ts';
import { type ChatResource, chatKey, startChatResource } from './chat-resource.ts';

/** A gateway that forwards requests for chat models to a resource of the test. */
export async function startForwarding(): Promise<{ azure: ChatResource; rig: Rig }> {
  const azure = await startChatResource();
  const target = { baseURL: `${azure.origin}/openai/v1`, apiKey: chatKey };
  const rig = await startRig({ keepsJobs: true, responses: { target, imageModel: 'azure-image' } });
  return { azure, rig };
}
